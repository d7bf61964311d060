//! The messages of the operators' HTTP interface.
