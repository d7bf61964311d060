//! Recipes: what to do, for whom, how widely, until when.
