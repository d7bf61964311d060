//! Contents of corpus add-ons: 23 files with manifest and signature files, about 50 KB packed, from a seed.

use crate::xpi_signer::{Addon, IdPlace};

/// The add-on of this number.
pub(super) fn addon(seed: u64, index: usize) -> Addon {
    let mut random = SplitMix(seed ^ (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let id = match index % 3 {
        0 => format!("lab-{index:06}@addons.example.org"),
        1 => {
            let (a, b) = (random.next(), random.next());
            format!(
                "{{{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}}}",
                a >> 32,
                (a >> 16) & 0xffff,
                a & 0xfff,
                b & 0xfff,
                b >> 16
            )
        }
        // Longer than 64 characters, so that the CN is its digest.
        _ => format!("lab-{index:06}-{}@addons.example.org", "long-".repeat(10)),
    };
    let version = format!("{}.{}.{}", 1 + random.next() % 9, random.next() % 20, random.next() % 10);
    let mut contents = vec![(b"background.js".to_vec(), words(&mut random, 14_000))];
    for locale in ["de", "en", "fr", "ja", "pl", "pt_BR"] {
        contents.push((format!("_locales/{locale}/messages.json").into_bytes(), words(&mut random, 4_000)));
    }
    for part in ["content", "options", "panel", "vendor"] {
        contents.push((format!("{part}/{part}.js").into_bytes(), words(&mut random, 9_000)));
        contents.push((format!("{part}/{part}.css").into_bytes(), words(&mut random, 3_000)));
    }
    for size in [16, 48] {
        let data: Vec<u8> = (0..size * 180).map(|_| random.next() as u8).collect();
        contents.push((format!("icons/icon-{size}.png").into_bytes(), data));
    }
    contents.push((b"LICENSE".to_vec(), words(&mut random, 6_000)));
    contents.push((b"README.md".to_vec(), words(&mut random, 3_000)));
    let id_place = if index % 5 == 4 { IdPlace::InstallRdf } else { IdPlace::BrowserSpecificSettings };
    Addon { id, version, id_place, contents }
}

/// Text that packs about as well as scripts do.
fn words(random: &mut SplitMix, bytes: usize) -> Vec<u8> {
    const WORDS: [&str; 24] = [
        "function", "return", "browser", "window", "document", "const", "let", "await", "promise", "value",
        "element", "listener", "message", "runtime", "storage", "if (", ") {\n", "}\n", ";\n", " = ", ".",
        "(", ")", "\n  ",
    ];
    let mut out = Vec::with_capacity(bytes + 20);
    while out.len() < bytes {
        let choice = random.next();
        match WORDS.get((choice % 29) as usize) {
            Some(word) => out.extend_from_slice(word.as_bytes()),
            None => out.extend_from_slice(format!(" v{:x}", choice >> 44).as_bytes()),
        }
    }
    out
}

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators): written out, so that contents stay the
/// same whatever a library does to its generators.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
