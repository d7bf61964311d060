//! Strict, bounded JSON and its canonical form.
