//! The real back ends of [`crate::ports`]. Only `main` names them.

pub mod addon_file;
pub mod clock;
pub mod disk;
pub mod folder;
pub mod hook;
pub mod http;
pub mod lock;
pub mod machine;
