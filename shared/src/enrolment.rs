//! A client's record of a recipe revision that it applied.
