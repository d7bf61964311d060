//! What Mulberry's binaries do alike with the machine they run on.
//!
//! `mulberry-shared` decides and touches nothing; this crate touches the machine and decides nothing. The way in:
//!
//! | module | what |
//! |---|---|
//! | [`addons`] | finds the add-ons below a folder |
//! | [`files`] | bounded reading, private modes, and writing that no crash leaves half done |
//! | [`lock`] | at most one process works in a folder |
//! | [`memory`] | the memory that work running side by side shares |
//! | [`settings`] | who said a setting: flag, environment, file or default |
//! | [`table`] | tables for people and for reports |

pub mod addons;
pub mod files;
pub mod lock;
pub mod memory;
pub mod settings;
pub mod table;
