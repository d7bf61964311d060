//! An in-memory repository that does as told.
