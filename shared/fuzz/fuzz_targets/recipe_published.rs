//! Any bytes as a published recipe: read or refused with a status; what is read writes back to the same recipe.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::{RecipePath, published};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let path: RecipePath = "emergency/fuzz.json".parse().expect("a path");
    if let Ok(recipe) = published::read(&path, bytes, &limits) {
        assert_eq!(published::read(&path, &published::write(&recipe), &limits).as_ref(), Ok(&recipe));
    }
});
