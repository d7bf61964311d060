//! How far one revision of a published recipe is open now.
