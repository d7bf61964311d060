//! The closed list of outcomes of a recipe in a run.
