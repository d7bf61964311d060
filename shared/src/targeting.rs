//! Whom a recipe is for.
