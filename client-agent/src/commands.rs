//! The commands of `mulberry-agent`, one module each.

pub mod verify;
