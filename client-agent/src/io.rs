//! The real back ends of [`crate::ports`]. `main` wires them; `init` and `uninstall`, which make and remove the state folder, and
//! `verify` and `tuf`, which need none, name theirs themselves. Nothing else knows them.

pub mod addon_file;
pub mod clock;
pub mod disk;
pub mod folder;
pub mod hook;
pub mod http;
pub mod live;
pub mod lock;
pub mod machine;
pub mod mirror;
pub mod presence;
pub mod teardown;
pub mod tls;
pub mod tuf_store;
