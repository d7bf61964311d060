//! Any text as `recipe.toml`: a recipe that survives being published, or a list of problems.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::{published, source};

const CERTIFICATE: &[u8] = include_bytes!("../../../recipes/replace-signing-intermediate/replacement.pem");

fuzz_target!(|text: &str| {
    let limits = Limits::default();
    if let Ok(recipe) = source::read("recipe.toml", text, &mut |_| Ok(CERTIFICATE.to_vec()), &limits) {
        let path = recipe.path();
        assert_eq!(published::read(&path, &published::write(&recipe), &limits).as_ref(), Ok(&recipe));
    }
});
