//! The release engineers' tool: writes, signs and publishes recipes.

fn main() {}
