//! Mulberry's server: ledger, store, services and HTTP.
//!
//! Reads never touch the store; writes go through one writer. The way in:
//!
//! | module | what |
//! |---|---|
//! | [`store`] | append and read, in memory or on sled |
//! | [`event`], [`ledger`] | what can happen; the hash chain of what did |
//! | [`export`] | the ledger as a file of lines: written, read and checked |
//! | [`state`] | the fold over the ledger |
//! | [`edition`], [`keys`] | what the server signs, and with what |
//! | [`served`] | every document as finished bytes, replaced as a whole |
//! | [`connections`] | each connection's place: how many, from whom, for how long |
//! | [`live`], [`capacity`] | the live stream: who is connected, and what they are told; how many there may be |
//! | [`metrics`] | figures for a monitoring system |
//! | [`services`] | publish, gate, status, and the one writer |
//! | [`tokens`], [`files`], [`clock`] | operators' tokens, private files, the time |
//! | [`api`] | HTTP: the public listener and the operators' one |
//! | [`commands`] | `init`, `token`, `run`, `ledger`, `restore`, and where concrete parts are wired |

pub mod api;
pub mod capacity;
pub mod clock;
pub mod commands;
pub mod config;
pub mod connections;
pub mod edition;
pub mod export;
pub mod files;
pub mod keys;
pub mod ledger;
pub mod live;
pub mod metrics;
pub mod served;
pub mod services;
pub mod state;
pub mod store;
pub mod tokens;

pub use mulberry_shared::ledger::event;

#[cfg(test)]
mod test_support;
