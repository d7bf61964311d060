//! Product versions and ranges.
