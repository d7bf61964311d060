//! Edits that know JSON, and what metadata looks like.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::document::{Layout, Node};

/// Numbers at the ends of what machines can hold, and beyond.
const NUMBERS: [&str; 20] = [
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "127",
    "128",
    "2147483647",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "1.0",
    "2e0",
    "1e400",
];

/// Values of every type.
const VALUES: [&str; 8] = ["null", "true", "false", "\"\"", "[]", "{}", "\"\\u0000\"", "\"targets\""];

/// `file` with one edit; `other` is another valid file. A file that is no JSON (any more) stays as it is.
pub(super) fn edit(file: &[u8], other: &[u8], random: &mut StdRng) -> Vec<u8> {
    let Some(mut node) = Node::read(file) else { return file.to_vec() };
    let mut layout = Layout::Compact;
    match random.random_range(0..12) {
        0 => layout = Layout::Loose,
        1 => swap_part(&mut node, other, random),
        2 | 3 => signatures(&mut node, random),
        // Half of the rest in the signed part, which is not always the larger one.
        4..8 => match node.member("signed") {
            Some(signed) => change(signed.any(random), random),
            None => change(node.any(random), random),
        },
        _ => change(node.any(random), random),
    }
    node.write(layout, random)
}

/// The signatures of another role over this one's content, or the other way round.
fn swap_part(node: &mut Node, other: &[u8], random: &mut StdRng) {
    let name = if random.random_bool(0.7) { "signatures" } else { "signed" };
    let mut other = Node::read(other);
    let part = other.as_mut().and_then(|other| other.member(name));
    if let (Some(mine), Some(part)) = (node.member(name), part) {
        match (mine, part) {
            (Node::Array(mine), Node::Array(part)) if random.random_bool(0.3) => mine.append(part),
            (mine, part) => *mine = part.clone(),
        }
    }
}

fn signatures(node: &mut Node, random: &mut StdRng) {
    let Some(Node::Array(all)) = node.member("signatures") else { return };
    let Some(index) = (!all.is_empty()).then(|| random.random_range(0..all.len())) else { return };
    match random.random_range(0..7) {
        0 => drop(all.remove(index)),
        1 => all.push(all[index].clone()),
        2 => all.shuffle(random),
        3 => {
            let text = hex_digits(random);
            all.push(Node::Object(vec![
                ("\"keyid\"".into(), Node::Scalar(text.clone())),
                ("\"sig\"".into(), Node::Scalar(text)),
            ]));
        }
        4 => {
            // One person's signature under the label of another.
            let last = all.len() - 1;
            let sig = all[last].member("sig").cloned();
            if let (Some(mine), Some(sig)) = (all[index].member("sig"), sig) {
                *mine = sig;
            }
        }
        5 => {
            if let Some(Node::Scalar(text)) = all[index].member("sig") {
                *text = text.to_uppercase();
            }
        }
        _ => change(&mut all[index], random),
    }
}

fn hex_digits(random: &mut StdRng) -> String {
    format!("\"{:064x}{:064x}\"", random.random::<u128>(), random.random::<u128>())
}

/// One edit of one value.
fn change(node: &mut Node, random: &mut StdRng) {
    let kind = random.random_range(0..8);
    match (node, kind) {
        (node, 0) => *node = Node::Scalar(NUMBERS[random.random_range(0..NUMBERS.len())].into()),
        (node, 1) => *node = Node::Scalar(VALUES[random.random_range(0..VALUES.len())].into()),
        (node, 2) => nest(node, random),
        (Node::Scalar(text), _) => scalar(text, random),
        (Node::Array(items), kind) if !items.is_empty() => {
            let (one, two) = (random.random_range(0..items.len()), random.random_range(0..items.len()));
            match kind {
                3 => drop(items.remove(one)),
                4 => items.push(items[one].clone()),
                5 => items.swap(one, two),
                _ => items.shuffle(random),
            }
        }
        (Node::Object(members), kind) if !members.is_empty() => object(members, kind, random),
        (node, _) => *node = Node::Scalar(hex_digits(random)),
    }
}

fn nest(node: &mut Node, random: &mut StdRng) {
    let depth = if random.random_bool(0.8) { 1 } else { random.random_range(2..60) };
    for _ in 0..depth {
        let inner = node.clone();
        *node = if random.random_bool(0.5) {
            Node::Array(vec![inner])
        } else {
            Node::Object(vec![("\"signed\"".into(), inner)])
        };
    }
}

fn object(members: &mut Vec<(String, Node)>, kind: u32, random: &mut StdRng) {
    let (one, two) = (random.random_range(0..members.len()), random.random_range(0..members.len()));
    match kind {
        3 => drop(members.remove(one)),
        // Twice, in places that a reader who takes the first or the last would tell apart.
        4 => {
            let mut again = members[one].clone();
            if random.random_bool(0.7) {
                again.1 = members[two].1.clone();
            }
            members.insert(random.random_range(0..=members.len()), again);
        }
        5 => {
            // The values of two keys.
            let value = members[one].1.clone();
            members[one].1 = std::mem::replace(&mut members[two].1, value);
        }
        6 => match random.random_range(0..3) {
            0 => members[one].0 = members[two].0.clone(),
            1 => scalar(&mut members[one].0, random),
            _ => members.push((hex_digits(random), Node::Scalar("1".into()))),
        },
        _ => members.shuffle(random),
    }
}

/// One edit of a scalar's text, or of a key.
fn scalar(text: &mut String, random: &mut StdRng) {
    if !text.starts_with('"') {
        let by = if random.random_bool(0.5) { 1 } else { -1 };
        *text = text.parse::<i128>().map_or_else(|_| NUMBERS[0].into(), |number| (number + by).to_string());
        return;
    }
    // Within the quotes, and between two characters.
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).skip(1).collect();
    let at = places[random.random_range(0..places.len())];
    let next = text[at..].chars().next().filter(|c| !matches!(c, '"' | '\\'));
    match (random.random_range(0..6), next) {
        // Another spelling of the same text.
        (0 | 1, Some(c)) if (c as u32) < 0x80 && !text[..at].ends_with('\\') => {
            let digits = format!("{:04x}", c as u32);
            let digits = if random.random_bool(0.5) { digits.to_uppercase() } else { digits };
            text.replace_range(at..at + c.len_utf8(), &format!("\\u{digits}"));
        }
        (2, Some(c)) => text.replace_range(at..at + c.len_utf8(), ""),
        (3, Some(c)) if c.is_ascii_alphabetic() => {
            let other = if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            text.replace_range(at..at + 1, &other.to_string());
        }
        // Looks the same, or like nothing at all.
        (4, _) => text.insert(at, ['\u{301}', '\u{200b}', '\u{430}', '\u{ff10}'][random.random_range(0..4)]),
        _ => text.insert(at, char::from(random.random_range(b'0'..=b'z'))),
    }
}
