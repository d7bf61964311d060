//! Names of files, and of the signature's files.

use mulberry_shared::xpi::Refusal;

use super::Shape;
use crate::oracle::raw_zip::RawEntry;
use crate::xpi_signer::{CoseAlgorithm, IdPlace, ZipEntry};

fn named(name: impl AsRef<[u8]>) -> Shape {
    let name = name.as_ref().to_vec();
    let shown =
        if name.len() > 60 { format!("of {} bytes", name.len()) } else { name.escape_ascii().to_string() };
    Shape::new(format!("name: {shown}"), move |making| {
        making.addon.contents.push((name.clone(), b"content".to_vec()));
    })
}

fn leads_out(name: &'static str) -> Shape {
    Shape::refused(format!("name: {name}"), Refusal::LeadsOut, move |making| {
        making.addon.contents.push((name.into(), b"content".to_vec()));
    })
}

/// Manifest, signature file or block under another name.
fn signature_file(index: usize, name: &'static str) -> Shape {
    Shape::new(format!("signature files: {name}"), move |making| {
        if let Some(slot) = making.names.get_mut(index) {
            *slot = name.into();
        }
    })
}

/// A file that resembles a signature file, not listed and listed.
fn besides(name: &'static str) -> [Shape; 2] {
    [
        Shape::new(format!("signature files: beside them {name}"), move |making| {
            making
                .archive_edits
                .push(Box::new(move |zip| zip.entries.extend(RawEntry::of(&ZipEntry::new(name, "x")))));
        }),
        Shape::new(format!("signature files: beside them {name}, listed"), move |making| {
            making.addon.contents.push((name.into(), b"x".to_vec()));
        }),
    ]
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Shape> {
    let mut all: Vec<Shape> = [
        "a:b.js",
        "C:evil.js",
        "a\\b.js",
        "./a.js",
        "a//b.js",
        "a/./b.js",
        "...",
        "a../b",
        "a b.js",
        "a .js ",
        " a.js",
        "\u{1b}[2J.js",
        "tab\t.js",
        "line\nend.js",
        "nul\0byte.js",
        "\u{fc}ber.js",
        "u\u{308}ber.js",
        "\u{1f600}.js",
        "a: b.js",
        "~",
        "*",
        "$",
        "(a|b)",
        "[a]",
        "a'b\"c",
        "CON",
        "nul.txt",
        "Background.js",
        ".hidden",
        "a/b/c/d/e/f/g/h/i/j/k",
        "\u{7f}.js",
    ]
    .into_iter()
    .map(named)
    .collect();
    all.extend([b"\xff\xfe.js".as_slice(), b"latin-\xfc.js", b"\xc3.js"].into_iter().map(named));
    for len in [62, 63, 66, 67, 72, 73, 140, 300, 1024, 1025, 4096, 4097] {
        all.push(named("x".repeat(len)));
    }
    // Folded inside the last character, wherever the manifest's lines end.
    all.extend((60..72).map(|len| named(format!("{}\u{fc}\u{1f600}.js", "x".repeat(len)))));
    all.extend(
        [
            "../evil.js",
            "a/../../evil.js",
            "a/../b.js",
            "a/..",
            "..",
            "/etc/evil.js",
            "\\evil.js",
            "a\\..\\..\\b.js",
            "C:/evil.js",
            "c:\\evil.js",
        ]
        .map(leads_out),
    );
    all.extend(
        [
            "META-INF/MANIFEST.MF",
            "META-INF/Manifest.mf",
            "META-INF/mANIFEST.MF",
            "META-INF/MANIFEST.mf",
            "META-INF/Manifest.Mf",
            "META-INF/manifest.MF",
            "meta-inf/manifest.mf",
            "META-INF/sub/manifest.mf",
            "Meta-Inf/MANIFEST.MF",
            "manifest.mf",
        ]
        .map(|name| signature_file(0, name)),
    );
    all.extend(
        [
            "META-INF/MOZILLA.SF",
            "META-INF/mozilla.Sf",
            "META-INF/other.sf",
            "META-INF/.sf",
            "META-INF/sub/mozilla.sf",
            "meta-inf/mozilla.sf",
            "META-INF/mozilla.sf.txt",
        ]
        .map(|name| signature_file(1, name)),
    );
    all.extend(
        [
            "META-INF/MOZILLA.RSA",
            "META-INF/mozilla.Rsa",
            "META-INF/other.rsa",
            "META-INF/.RSA",
            "META-INF/a/b/mozilla.rsa",
            "meta-inf/mozilla.rsa",
            "META-INF/mozilla.dsa",
            "META-INF/mozilla.ec",
            "mozilla.rsa",
        ]
        .map(|name| signature_file(2, name)),
    );
    all.push(Shape::new("signature files: META-INF in small letters", |making| {
        making.names =
            ["meta-inf/manifest.mf", "meta-inf/mozilla.sf", "meta-inf/mozilla.rsa"].map(Into::into);
    }));
    all.extend(
        [
            "META-INF/second.rsa",
            "META-INF/second.sf",
            "META-INF/MANIFEST.MF",
            "META-INF/second.RSA",
            "META-INF/deep/second.rsa",
            "META-INF/second.dsa",
            "META-INF/second.Rsa",
            "meta-inf/second.rsa",
            "old/META-INF/second.rsa",
            "META-INF/cose.manifest",
            "META-INF/cose.sig",
            "META-INF/COSE.SIG",
            "META-INF/zigbert.rsa\0x",
        ]
        .into_iter()
        .flat_map(besides),
    );
    all.push(Shape::refused("manifest.json: the id twice", Refusal::IdentityTwice, |making| {
        making.addon.id_place = IdPlace::Contents;
        let id = |id: &str| format!(r#""applications": {{"gecko": {{"id": "{id}"}}}}"#);
        let text = format!("{{{}, {}}}", id("other@lab.example.org"), id(&making.addon.id));
        making.addon.contents.insert(0, (b"manifest.json".to_vec(), text.into_bytes()));
    }));
    for name in ["cose.manifest", "cose.sig"] {
        all.push(Shape::new(format!("signature files: {name} is not listed"), move |making| {
            making.cose = vec![CoseAlgorithm::Es256];
            making
                .manifest_edits
                .push(Box::new(move |manifest| super::manifests::without_section(&manifest, name)));
        }));
        all.push(Shape::new(format!("signature files: without {name}"), move |making| {
            making.cose = vec![CoseAlgorithm::Es256];
            making
                .manifest_edits
                .push(Box::new(move |manifest| super::manifests::without_section(&manifest, name)));
            making.archive_edits.push(Box::new(move |zip| {
                zip.entries.retain(|entry| !entry.name.ends_with(name.as_bytes()));
            }));
        }));
    }
    all
}
