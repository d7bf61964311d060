//! Inspection of one signed add-on, and its verdict.
