//! What the documentation says of Firefox is what the code has; and a real Firefox agrees about random add-ons, where there is one.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used)]

use mulberry_lab::oracle::compare::{self, Spec};
use mulberry_lab::oracle::firefox::Firefox;
use mulberry_lab::oracle::skipped;
use mulberry_shared::xpi::{Refusal, VerdictKind};

const PAGE: &str = include_str!("../../shared/docs/firefox.md");

#[test]
fn the_closed_list_is_in_the_documentation_as_in_the_code() {
    let table = PAGE.split("## ").find(|part| part.starts_with("The closed list")).unwrap();
    let listed: Vec<(&str, &str)> = table
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let name = cells.first()?.strip_prefix('`')?.strip_suffix('`')?;
            Some((name, *cells.last()?))
        })
        .collect();
    let code: Vec<(&str, &str)> =
        Refusal::ALL.iter().map(|refusal| (refusal.as_str(), refusal.attack())).collect();
    assert_eq!(listed, code);
}

#[test]
fn every_reason_of_an_add_on_s_bytes_is_in_the_documentation() {
    let table = PAGE.split("## ").find(|part| part.starts_with("Reasons")).unwrap();
    use VerdictKind::{Blocked, Distrusted, EndEntityExpired, EndEntityNotYetValid, IdMismatch, Ok};
    // Ours alone to give, said elsewhere on the page, or given by `strict` alone.
    let elsewhere = [Ok, Blocked, Distrusted, IdMismatch, EndEntityExpired, EndEntityNotYetValid];
    for kind in VerdictKind::ALL.into_iter().filter(|kind| !elsewhere.contains(kind)) {
        assert!(table.contains(&format!("`{kind}`")), "{kind}");
    }
}

#[test]
fn a_real_firefox_agrees_about_random_add_ons() {
    let (python, folder) = match Firefox::needs() {
        Ok(found) => found,
        Err(missing) => return skipped("random add-ons, asked of a real Firefox", &missing),
    };
    let spec = Spec { random: 60, seed: 2019, fixed: false };
    let report = compare::run(&spec, &python, &folder, &|_, _| ()).unwrap();
    assert!(report.asked > 30, "{}", report.asked);
    assert!(report.is_right(), "{:#?}", report.differences);
}
