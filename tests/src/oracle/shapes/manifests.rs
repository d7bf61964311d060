//! `manifest.mf` and the signature file.

use sha2::{Digest, Sha256};

use super::Shape;
use crate::xpi_signer::ManifestDigests;
use crate::xpi_signer::manifest::section;

/// A change to the text of the manifest; its lines end with LF.
fn manifest(name: &str, edit: impl Fn(String) -> String + Clone + 'static) -> Shape {
    Shape::new(format!("manifest: {name}"), move |making| {
        let edit = edit.clone();
        making.manifest_edits.push(Box::new(move |bytes| edited(bytes, &edit)));
    })
}

fn signature_file(name: &str, edit: impl Fn(String) -> String + Clone + 'static) -> Shape {
    Shape::new(format!("signature file: {name}"), move |making| {
        let edit = edit.clone();
        making.signature_file_edits.push(Box::new(move |bytes| edited(bytes, &edit)));
    })
}

/// Both in the same way.
fn both(name: &str, edit: impl Fn(String) -> String + Clone + 'static) -> [Shape; 2] {
    [manifest(name, edit.clone()), signature_file(name, edit)]
}

/// Bytes that are no text, after another change, stay as they are.
fn edited(bytes: Vec<u8>, edit: &dyn Fn(String) -> String) -> Vec<u8> {
    String::from_utf8(bytes)
        .map_or_else(std::string::FromUtf8Error::into_bytes, |text| edit(text).into_bytes())
}

/// The manifest without the section of the file whose name ends so.
pub(super) fn without_section(manifest: &[u8], name: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(manifest).into_owned();
    let sections =
        text.split_inclusive("\n\n").filter(|section| !section.lines().any(|line| line.ends_with(name)));
    sections.collect::<String>().into_bytes()
}

fn with_first_section(text: &str, edit: impl Fn(&str) -> String) -> String {
    let mut sections: Vec<String> = text.split_inclusive("\n\n").map(str::to_owned).collect();
    if let Some(first) = sections.get_mut(1) {
        *first = edit(first);
    }
    sections.concat()
}

fn comment_of(len: usize) -> String {
    format!("X-Comment: {}\n", "x".repeat(len.saturating_sub("X-Comment: ".len())))
}

/// After the first line.
fn with_head(text: &str, more: &str) -> String {
    text.replacen('\n', &format!("\n{more}"), 1)
}

/// All of them.
#[must_use]
#[allow(clippy::too_many_lines)]
pub fn all() -> Vec<Shape> {
    let extra = |name: &'static str| {
        String::from_utf8_lossy(&section(name.as_bytes(), b"x", ManifestDigests::Sha256)).into_owned()
    };
    let mut all: Vec<Shape> = [
        both("CRLF", |text| text.replace('\n', "\r\n")),
        both("CR", |text| text.replace('\n', "\r")),
        both("mixed ends of lines", |text| text.replacen('\n', "\r\n", 1).replacen('\n', "\r", 2)),
        both("LF CR", |text| text.replace('\n', "\n\r")),
        both("no end at the end", |text| text.trim_end().to_owned()),
        both("an empty line more at the end", |text| format!("{text}\n")),
        both("a NUL at the end", |text| format!("{text}\0behind it")),
        both("a NUL in the first line", |text| text.replacen('\n', "\0\n", 1)),
        both("byte order mark", |text| format!("\u{feff}{text}")),
        both("an empty line first", |text| format!("\n{text}")),
        both("no version", |text| text.split_once('\n').map_or(String::new(), |(_, rest)| rest.to_owned())),
        both("version in small letters", |text| text.replacen("-Version", "-version", 1)),
        both("version 2.0", |text| text.replacen("1.0", "2.0", 1)),
        both("version with a space more", |text| text.replacen(": 1.0", ":  1.0", 1)),
        both("version with a space behind", |text| text.replacen("1.0", "1.0 ", 1)),
        both("version folded", |text| text.replacen("1.0", "1.\n 0", 1)),
        both("version goes on with nothing", |text| text.replacen("1.0\n", "1.0\n \n", 1)),
        both("Created-By", |text| with_head(&text, "Created-By: 17 (Oracle)\n")),
        both("head without a colon", |text| with_head(&text, "no attribute\n")),
        both("head with an empty key", |text| with_head(&text, ": x\n")),
        both("head with a key of spaces", |text| with_head(&text, "Key : x\n")),
        both("head with a tab", |text| with_head(&text, "Key:\tx\n")),
        both("head that is not ASCII", |text| with_head(&text, "Sch\u{f6}n: \u{fc}\n")),
        both("line of 72 bytes", |text| with_head(&text, &comment_of(72))),
        both("line of 73 bytes", |text| with_head(&text, &comment_of(73))),
        both("continuation of 73 bytes and its space", |text| {
            with_head(&text, &format!("Key: x\n {}\n", "y".repeat(72)))
        }),
        both("continuation of 74 bytes and its space", |text| {
            with_head(&text, &format!("Key: x\n {}\n", "y".repeat(73)))
        }),
        both("folded line of 65,535 bytes", |text| {
            with_head(&text, &format!("K: {}\n", "x\n ".repeat(65_532)))
        }),
        both("folded line of 65,536 bytes", |text| {
            with_head(&text, &format!("K: {}\n", "x\n ".repeat(65_533)))
        }),
        both("100,000 empty continuations", |text| {
            with_head(&text, &format!("K: x\n{}", " \n".repeat(100_000)))
        }),
        both("nothing at all", |_| String::new()),
        both("only the version", |text| text.lines().next().unwrap_or_default().to_owned()),
        both("only the head", |text| text.split_inclusive("\n\n").next().unwrap_or_default().to_owned()),
        both("digest folded", |text| text.replace("Digest: ", "Digest: \n ")),
        both("digest in small letters", |text| text.replace("SHA256-Digest", "sha256-digest")),
        both("digest in capitals", |text| text.replace("SHA256-Digest", "SHA256-DIGEST")),
        both("digest after two spaces", |text| text.replace("Digest: ", "Digest:  ")),
        both("digest after no space", |text| {
            text.replace("Digest: ", "Digest:").replace("Manifest: ", "Manifest:")
        }),
        both("digest before a space", |text| text.replace("=\n", "= \n")),
        both("digest unpadded", |text| text.replace("=\n", "\n")),
        both("digest padded twice", |text| text.replace("=\n", "==\n")),
        both("digest with other last bits", |text| {
            let mut chars: Vec<char> = text.chars().collect();
            let pads: Vec<usize> = (1..chars.len().saturating_sub(1))
                .filter(|i| chars[*i] == '=' && chars[*i + 1] == '\n')
                .collect();
            for pad in pads {
                const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
                if let Some(value) = ALPHABET.find(chars[pad - 1]) {
                    chars[pad - 1] = ALPHABET.chars().nth(value | 1).unwrap_or('A');
                }
            }
            chars.into_iter().collect()
        }),
        both("digest of another length", |text| text.replace("256-Digest: ", "256-Digest: AAAA")),
        both("digest in other letters of base64", |text| text.replace('+', "-").replace('/', "_")),
        both("digest of another algorithm garbled", |text| {
            text.replace("SHA256-Digest", "SHA1-Digest: !!!\nSHA256-Digest")
        }),
        both("digest of another algorithm twice", |text| {
            text.replace("SHA256-Digest", "SHA1-Digest: a\nSHA1-Digest: b\nSHA256-Digest")
        }),
        both("digest empty and then right", |text| {
            text.replace("SHA256-Digest:", "SHA256-Digest:\nSHA256-Digest:")
        }),
        both("digest as the JDK names it", |text| text.replace("SHA256-Digest", "SHA-256-Digest")),
        both("digest of 512 bits beside", |text| {
            text.replace("SHA256-Digest", "SHA512-Digest: AAAA\nSHA256-Digest")
        }),
    ]
    .into_iter()
    .flatten()
    .collect();
    all.extend([
        manifest("an empty line more between sections", |text| text.replace("\n\n", "\n\n\n")),
        manifest("an empty line that goes on", |text| text.replace("\n\nName", "\n\n Name")),
        manifest("a section twice", |text| {
            let again = text.split_inclusive("\n\n").nth(1).unwrap_or_default().to_owned();
            text + &again
        }),
        manifest("a section of a file that is missing", move |text| text + &extra("missing.js")),
        manifest("a section of a folder", move |text| text + &extra("icons/")),
        manifest("a section of itself", move |text| text + &extra("META-INF/manifest.mf")),
        manifest("a section without a name", |text| text.replacen("Name: ", "Nom: ", 1)),
        manifest("a section with two names", |text| text.replacen("Name: ", "Name: a\nName: ", 1)),
        manifest("a section with an empty name", |text| text.replacen("Name: ", "Name: \nName: ", 1)),
        manifest("a name in small letters", |text| text.replace("Name: ", "name: ")),
        manifest("a name before a space", |text| text.replace("Name: ", "Name : ")),
        manifest("a name after the digest", |text| {
            with_first_section(&text, |section| {
                let mut lines: Vec<&str> = section.trim_end().lines().collect();
                lines.reverse();
                lines.join("\n") + "\n\n"
            })
        }),
        manifest("a digest twice", |text| {
            with_first_section(&text, |section| {
                let line = section.lines().find(|line| line.starts_with("SHA256")).unwrap_or_default();
                format!("{}\n{line}\n\n", section.trim_end())
            })
        }),
        manifest("a section without a digest", |text| text.replacen("SHA256-Digest: ", "Other: ", 1)),
        manifest("a section with Magic", |text| text.replacen("Name: ", "Magic: x\nName: ", 1)),
        manifest("a section with a line that is no attribute", |text| {
            text.replacen("Name: ", "no attribute\nName: ", 1)
        }),
        manifest("sections in another order", |text| {
            let mut sections: Vec<&str> = text.split_inclusive("\n\n").collect();
            if let Some(files) = sections.get_mut(1..) {
                files.reverse();
            }
            sections.concat()
        }),
        manifest("a NUL between sections", |text| text.replacen("\n\nName", "\n\n\0\n\nName", 2)),
        manifest("of 7.9 MB", |text| with_head(&text, &comment_of(72).repeat(7_900_000 / 73))).dear(),
        manifest("of 8 MB and more", |text| with_head(&text, &comment_of(72).repeat(8_100_000 / 73))).dear(),
        signature_file("of 7.9 MB", |text| text + &comment_of(72).repeat(7_900_000 / 73)).dear(),
        signature_file("of 8 MB and more", |text| text + &comment_of(72).repeat(8_100_000 / 73)).dear(),
        signature_file("digest twice, the first right", |text| {
            text.replacen("=\n", &format!("=\nSHA256-Digest-Manifest: {}\n", "A".repeat(43) + "="), 1)
        }),
        signature_file("digest twice, the first wrong", |text| {
            with_head(&text, &format!("SHA256-Digest-Manifest: {}\n", "A".repeat(43) + "="))
        }),
        signature_file("nothing but noise behind the digest", |text| {
            text.trim_end().to_owned() + "\nno attribute\n\n\n\nName\n"
        }),
        signature_file("an empty line before the digest", |text| with_head(&text, "\n")),
        signature_file("digest under another name", |text| {
            text.replace("-Manifest", "-Manifest-Main-Attributes")
        }),
        signature_file("wrong digest", |text| text.replace("Manifest: ", "Manifest: A")),
        signature_file("section digests that are wrong", |text| {
            text + "Name: background.js\nSHA256-Digest: AAAA\n\n"
        }),
    ]);
    for (name, end) in [("LF", "\n"), ("CRLF", "\r\n")] {
        all.push(Shape::new(format!("signature file: sections only, {name}"), move |making| {
            making.manifest_edits.push(Box::new(move |bytes| edited(bytes, &|text| text.replace('\n', end))));
            let files = making.addon.files().unwrap_or_default();
            let manifest = crate::xpi_signer::manifest::manifest(
                files.iter().map(|(name, data)| (name.as_slice(), data.as_slice())),
                ManifestDigests::Sha256,
            );
            let manifest = String::from_utf8_lossy(&manifest).replace('\n', end);
            let mut text = format!("Signature-Version: 1.0{end}{end}");
            for section in manifest.split_inclusive(&format!("{end}{end}")).skip(1) {
                let name = section.lines().next().unwrap_or_default();
                use base64::Engine;
                let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(section));
                text += &format!("{name}{end}SHA256-Digest: {digest}{end}{end}");
            }
            making.signature_file_edits.push(Box::new(move |_| text.clone().into_bytes()));
        }));
    }
    all
}
