//! The release engineers' tool: writes, signs and publishes recipes.
//!
//! - [`cli`]: what can be typed
//! - [`config`]: flags over environment over file over default
//! - [`failure`]: exit codes, stable kinds, sentences
//! - [`files`], [`keys`], [`passphrase`]: what lies on disk, and who may read it
//! - [`http`]: bounded exchanges; where a token may travel
//! - [`output`]: words and tables, or JSON

pub mod config;
pub mod failure;
pub mod files;
pub mod http;
pub mod keys;
pub mod output;
pub mod passphrase;
