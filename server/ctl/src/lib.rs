//! The release engineers' tool: writes, signs and publishes recipes.
//!
//! | module | what |
//! |---|---|
//! | [`cli`] | what can be typed, and the hand-over to the commands |
//! | [`commands`] | one module a command: its arguments and its `run`; none names another |
//! | [`context`] | what every command is handed: time, form of the answer, ceilings, settings |
//! | [`arguments`] | words of the command line that several commands take |
//! | [`config`] | flags over environment over file over default |
//! | [`lane`] | a lane as it is published, and the next version of it |
//! | [`proposals`], [`ceremony`], [`opening`] | what people sign: versions of a lane, changes of keys, openings of gates |
//! | [`signable`] | which of these a file or an id names |
//! | [`gates`] | gates as the server reports them, and what people stopped at them |
//! | [`edition`] | the current edition, verified from this machine's own root |
//! | [`origin`] | the public repository, driven as agents drive it |
//! | [`operators`] | the server's interface |
//! | [`http`] | bounded exchanges; where a token may travel |
//! | [`source`], [`record`] | recipe folders on disk, and the last preflight of a recipe |
//! | [`files`], [`keys`], [`token`], [`passphrase`] | what lies on disk and on PKCS#11 tokens, and who may use it |
//! | [`output`] | words and tables, or JSON |
//! | [`failure`] | exit codes, stable kinds, sentences |

pub mod arguments;
pub mod ceremony;
pub mod cli;
pub mod commands;
pub mod config;
pub mod context;
pub mod edition;
pub mod failure;
pub mod files;
pub mod gates;
pub mod http;
pub mod keys;
pub mod lane;
pub mod opening;
pub mod operators;
pub mod origin;
pub mod output;
pub mod passphrase;
pub mod proposals;
pub mod record;
pub mod signable;
pub mod source;
pub mod token;
