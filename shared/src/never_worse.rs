//! The check before any commit: nothing that works may break.
