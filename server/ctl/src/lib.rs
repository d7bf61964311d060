//! The release engineers' tool: writes, signs and publishes recipes.
//!
//! - [`cli`]: what can be typed
//! - [`commands`]: one module a command
//! - [`config`]: flags over environment over file over default
//! - [`failure`]: exit codes, stable kinds, sentences
//! - [`files`], [`keys`], [`passphrase`]: what lies on disk, and who may read it
//! - [`http`]: bounded exchanges; where a token may travel
//! - [`operators`]: the server's interface
//! - [`origin`]: the public repository, verified as agents verify it
//! - [`output`]: words and tables, or JSON
//! - [`record`]: the last preflight of a recipe, for those who publish it
//! - [`source`]: recipe folders on disk
//! - [`token`]: keys on PKCS#11 tokens

pub mod cli;
pub mod commands;
pub mod config;
pub mod failure;
pub mod files;
pub mod http;
pub mod keys;
pub mod operators;
pub mod origin;
pub mod output;
pub mod passphrase;
pub mod record;
pub mod source;
pub mod token;
