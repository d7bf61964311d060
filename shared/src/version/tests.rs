//! Versions and ranges by example, by the table in the documentation, and by property.

use super::*;
use proptest::prelude::*;
use semver::VersionReq;

fn version(text: &str) -> ProductVersion {
    text.parse().unwrap()
}

fn written(text: &str) -> VersionRange {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn published(text: &str) -> VersionRange {
    VersionRange::published(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The rows of the table in the recipes' documentation that begins with these columns, without the backticks.
fn documented(columns: &str) -> Vec<Vec<String>> {
    let page = include_str!("../../../recipes/README.md");
    let (_, table) = page.split_once(&format!("| {columns} |\n")).expect("the table is there");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        row.trim_matches('|').split('|').map(|cell| cell.replace('`', "").trim().to_owned()).collect()
    };
    rows.map(cells).collect()
}

#[test]
fn ranges_mean_what_the_documentation_says() {
    let rows = documented("range | takes in | leaves out | published");
    assert!(rows.len() > 15, "{rows:?}");
    for row in rows {
        let [range, inside, outside, as_published] = row.as_slice() else { panic!("{row:?}") };
        let read = written(range);
        assert_eq!(read.as_published(), as_published, "{range}");
        // What the tool resolved is what every agent reads, however old it is.
        let by_agents = published(as_published);
        for (versions, expected) in [(inside, true), (outside, false)] {
            for text in versions.split(", ").filter(|text| !text.is_empty()) {
                assert_eq!(read.contains(&version(text)), expected, "{range} {text}");
                assert_eq!(by_agents.contains(&version(text)), expected, "{range} {text}, published");
            }
        }
        assert_eq!(by_agents, read, "{range}");
    }
}

#[test]
fn ranges_that_the_documentation_refuses_are_refused_with_the_right_spelling() {
    let rows = documented("refused | write");
    assert!(rows.len() > 5, "{rows:?}");
    for row in rows {
        let [refused, right] = row.as_slice() else { panic!("{row:?}") };
        let error = refused.parse::<VersionRange>().unwrap_err().to_string();
        let spelling = if right.contains(',') { right } else { right.trim_start_matches(['<', '>', '=']) };
        assert!(error.ends_with(&format!("; write {spelling}")), "{error}");
        written(right);
    }
}

#[test]
fn what_is_wrong_with_a_bound_is_said_as_it_is() {
    let said = |range: &str| range.parse::<VersionRange>().unwrap_err().to_string();
    for packaged in [">=66.0.3-1", "=66.0.3+build1-0ubuntu1", "<68.0~b3-1", "60.6.2esr-1~deb9u1"] {
        let said = said(packaged);
        assert!(said.contains("packager's revision") && !said.contains("no product writes"), "{said}");
    }
    for misspelt in ["=60.6.1-esr", ">=68.0-beta3", "=68.0B3"] {
        assert!(said(misspelt).contains("no product writes"), "{misspelt}");
    }
    for (spread, meant, inside, outside) in [
        ("67-68", ">=67, <=68.*", "68.0.2", "69.0a1"),
        ("67 - 68", ">=67, <=68.*", "67.0", "67.0b3"),
        ("67..68", ">=67, <=68.*", "68.0b1", "69.0"),
        ("60 to 66", ">=60, <=66.*", "66.0.5", "67.0"),
        ("66.0\u{2013}66.1", ">=66.0, <=66.1.*", "66.1.9", "66.2"),
        ("66.0.1-66.0.3", ">=66.0.1, <=66.0.3", "66.0.3", "66.0.4"),
        (">=67-68.0b3", ">=67, <=68.0b3", "68.0b3", "68.0"),
    ] {
        let said = said(spread);
        assert!(said.ends_with(&format!("is no version; write {meant}")), "{said}");
        let range = written(meant);
        assert!(range.contains(&version(inside)) && !range.contains(&version(outside)), "{meant}");
    }
    for neither in ["68-67", "67-67", "a-b", "67-", "-68", "67-68-69"] {
        assert!(!said(neither).contains("write >="), "{neither}: {}", said(neither));
    }
}

/// What agents in the field make of published ranges: this must never change.
#[test]
fn published_ranges_keep_their_meaning() {
    for (range, inside, outside) in [
        ("<60.1.2", "60.1.1", "60.1.2"),
        ("<60.1.2", "60.1.2b1", "60.1.2.1"),
        ("<=60.1.2", "60.1.2", "60.1.2.1"),
        (">60.1.2", "60.1.2.1", "60.1.2"),
        ("<=60", "60.9esr", "61.0a1"),
        (">60", "61.0a1", "60.9.9.9"),
        ("=60", "60.9", "60.0b3"),
        ("=66.0", "66.0.3", "66.1a1"),
        ("60.*", "60.0", "61.0a1"),
        ("60.*", "60.0", "60.0b3"),
        ("=60.6", "60.6.2esr", "60.7b1"),
        ("=60.6.2", "60.6.2esr", "60.6.3"),
        ("60", "60.6", "61.0b1"),
        ("^0.2.3", "0.2.9", "0.3.0b1"),
        ("^0.0.3", "0.0.3", "0.0.4b1"),
        ("^0.0", "0.0.9", "0.1"),
        ("^0", "0.9", "1.0a1"),
        ("~60.6.1", "60.6.9", "60.7a1"),
        ("~60", "60.9", "61.0a1"),
        (">=60.0.0-beta.3", "60.0b3", "60.0b2"),
        (">=60.0.0-0", "60.0a1", "59.9"),
        ("<60.0.0-0", "59.9", "60.0a1"),
        (">=60", "61.0b3", "60.0b3"),
        ("*", "60.0a1", ""),
    ] {
        assert!(published(range).contains(&version(inside)), "{range} has {inside}");
        assert!(
            outside.is_empty() || !published(range).contains(&version(outside)),
            "{range} has not {outside}"
        );
    }
    for bad in ["", ">=67, <60", "=60, =61", ">60, <=60", "<60, >=60", ">=60 <67", "60.6.2esr", "sixty"] {
        assert!(VersionRange::published(bad).is_err(), "{bad}");
    }
    // At the end of the number space nothing overflows.
    assert!(!published(&format!(">{}", u64::MAX)).contains(&version("4294967295.0")));
    assert!(published(&format!("<={}", u64::MAX)).contains(&version("4294967295.0")));
}

#[test]
fn versions_stand_in_the_order_of_their_release() {
    let order = [
        "60.0a1",
        "60.0b3",
        "60.0b12",
        "60.0",
        "60.0.0.1",
        "60.0.1",
        "60.6.2esr",
        "60.7.0esr",
        "61.0a1",
        "61.0b3",
        "61.0rc1",
        "61.0",
        "66.0.4",
        "100.0",
    ];
    for (i, a) in order.iter().enumerate() {
        for (j, b) in order.iter().enumerate() {
            assert_eq!(version(a).cmp(&version(b)), i.cmp(&j), "{a} {b}");
        }
    }
    for same in ["66", "66.0", "66.0.0", "66.0.0.0", "66.0esr"] {
        assert_eq!(version(same), version("66.0"));
        assert_eq!(version(same).to_string(), same);
    }
}

#[test]
fn however_a_stage_is_joined_it_is_that_stage() {
    for same in ["68.0b3", "68.0.0b3", "68.0-b3", "68.0~b3", "68.0.0-beta.3", "68.0.0-beta3", "68.0beta3"] {
        assert_eq!(version(same), version("68.0b3"), "{same}");
    }
    assert_eq!(version("69.0a1"), version("69.0.0-alpha.1"));
    assert_eq!(version("60.6.1-esr"), version("60.6.1esr"));
    assert_eq!(version("1.0-rc.1"), version("1.0rc1"));
    assert!(version("1.2.3-preview.4") < version("1.2.3") && version("1.2.3-preview.4") > version("1.2.2"));
}

#[test]
fn what_packagers_append_makes_no_version_older_or_newer() {
    for (packaged, product) in [
        ("66.0.3-1", "66.0.3"),
        ("66.0.3-1ubuntu1.2", "66.0.3"),
        ("66.0.3+build1-0ubuntu0.18.04.1", "66.0.3"),
        ("60.6.2esr-1~deb9u1", "60.6.2esr"),
        ("66.0-2.fc30", "66.0"),
        ("68.0~b3+build1-0ubuntu1", "68.0b3"),
        ("68.0~b3-1", "68.0b3"),
        ("1.2.3-beta.3-1", "1.2.3-beta.3"),
        ("1.2.3+20190504", "1.2.3"),
    ] {
        assert_eq!(version(packaged), version(product), "{packaged}");
        assert_eq!(version(packaged).to_string(), packaged);
    }
}

#[test]
fn what_is_no_version_is_refused() {
    let long = format!("1.0.0-{}", "a".repeat(80));
    for bad in [
        "",
        ".",
        "1.",
        ".1",
        "1..2",
        "1.2.3.4.5",
        "v1",
        "01.0",
        "1.00",
        "1.0b",
        "1.0b03",
        "1.0b3x",
        "1.0c1",
        "1.0 ",
        "4294967296",
        "1.2.3-",
        "1.2.3~",
        "1.2.3-a..b",
        "1.2.3+",
        "1.2.3+a b",
        "1.2.3-1 ",
        "66.0ESR",
        "66.0b3esr",
        "٦",
        &long,
    ] {
        assert!(bad.parse::<ProductVersion>().is_err(), "{bad}");
    }
}

#[test]
fn what_is_no_range_is_refused() {
    let long = format!(">={}", "1".repeat(400));
    for bad in [
        "",
        ",",
        ">=60,",
        ">=67, <60",
        "=60, =61",
        ">60, <=60.0",
        "<60, >=60",
        ">=60 <67",
        "sixty",
        "==60",
        "=>60",
        ">=",
        ">*",
        "<*",
        "^60.*",
        "60.*.1",
        "*.60",
        "60.",
        "*60",
        "60*",
        "66.0b3.*",
        "1.2.3.4",
        "1.2.3.4.*",
        "4294967296",
        &long,
        &">=1,".repeat(64),
    ] {
        assert!(bad.parse::<VersionRange>().is_err(), "{bad}");
    }
    let error = ">=67, <60".parse::<VersionRange>().unwrap_err().to_string();
    assert!(error.contains("no version can match"), "{error}");
}

#[test]
fn ranges_of_the_agent_take_any_suffix_of_semver() {
    let agent = |text: &str| semver::Version::parse(text).unwrap();
    let range = VersionRange::written(">=0.2", Whose::Agent).unwrap();
    assert!(range.contains_semver(&agent("0.3.0-dev")) && !range.contains_semver(&agent("0.2.0-dev")));
    let range = VersionRange::written("=0.2.0-dev.1", Whose::Agent).unwrap();
    assert!(range.contains_semver(&agent("0.2.0-dev.1")) && !range.contains_semver(&agent("0.2.0")));
    assert!(">=0.2.0-dev.1".parse::<VersionRange>().is_err());
}

#[test]
fn ranges_show_in_the_products_spelling_whatever_they_were_published_as() {
    for (text, shown, pre_releases) in [
        ("*", "*", "pre-releases are included"),
        ("=66.0", ">=66.0, <66.1.*", "pre-releases are included, but not those of 66.0 (for them: >=66.*)"),
        (">66.0", ">=66.1.*", "pre-releases are included"),
        ("67.*", ">=67.0, <68.*", "pre-releases are included, but not those of 67.0 (for them: >=67.*)"),
        (">=67.0.0-0, <68.0.0-0", "67.*", "pre-releases are included"),
        (">=67.0.0-0, <67.1.0-0", "67.0.*", "pre-releases are included"),
        ("=60.6.2", "=60.6.2", "pre-releases are left out"),
        ("=59.0.0-beta.4", "=59.0b4", "this pre-release alone"),
        ("<67", "<67.0", "pre-releases are included, also those of 67.0 (without them: <67.*)"),
        (">=1.2.3-preview.4", ">=1.2.3-preview.4", "pre-releases are included"),
    ] {
        let range = published(text);
        assert_eq!(
            (range.to_string().as_str(), range.pre_releases().as_str()),
            (shown, pre_releases),
            "{text}"
        );
    }
}

#[test]
fn a_version_that_may_be_meant_as_all_that_begin_so_is_known() {
    for (range, wider) in [("66.0", "66.0.*"), ("=66", "66.*"), (" = 66.0 ", "66.0.*")] {
        assert_eq!(VersionRange::wider_meaning(range).as_deref(), Some(wider), "{range}");
        written(wider);
    }
    for range in ["=66.0.3", "66.0b3", "60.6esr", "66.*", ">=66.0", "=66.0, <67", "*", ""] {
        assert_eq!(VersionRange::wider_meaning(range), None, "{range}");
    }
}

fn any_text() -> impl Strategy<Value = String> {
    let suffix = proptest::sample::select(vec!["", "esr", "a1", "b1", "b2", "b10", "rc1"]);
    (proptest::collection::vec(0..3_u32, 1..=3), suffix).prop_map(|(parts, suffix)| {
        let parts: Vec<_> = parts.iter().map(ToString::to_string).collect();
        format!("{}{suffix}", parts.join("."))
    })
}

fn any_version() -> impl Strategy<Value = ProductVersion> {
    let packaged = proptest::sample::select(vec!["", "", "-1", "+build1-0ubuntu1"]);
    let fourth = proptest::option::weighted(0.1, 1..3_u32);
    (any_text(), packaged, fourth).prop_map(|(text, packaged, fourth)| match fourth {
        Some(fourth) => version(&format!("1.0.0.{fourth}{packaged}")),
        None => version(&format!("{text}{packaged}")),
    })
}

fn any_range() -> impl Strategy<Value = VersionRange> {
    let operator = || proptest::sample::select(vec!["", "=", "<", "<=", ">", ">=", "^", "~"]);
    let every = proptest::collection::vec(0..3_u32, 1..=3)
        .prop_map(|parts| parts.iter().map(|part| format!("{part}.")).collect::<String>() + "*");
    let operand = prop_oneof![any_text(), every];
    proptest::collection::vec((operator(), operand), 1..4).prop_filter_map("some version can match", |list| {
        let list: Vec<_> =
            list.into_iter().map(|(operator, operand)| format!("{operator}{operand}")).collect();
        list.join(", ").parse().ok()
    })
}

proptest! {
    #[test]
    fn the_order_is_total(a in any_version(), b in any_version(), c in any_version()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b) == Ordering::Equal);
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
    }

    #[test]
    fn an_operator_before_a_version_is_that_order(v in any_version(), text in any_text()) {
        let x = version(&text);
        let holds = |op: &str| written(&format!("{op}{text}")).contains(&v);
        prop_assert_eq!(holds("<"), v < x);
        prop_assert_eq!(holds("<="), v <= x);
        prop_assert_eq!(holds(">"), v > x);
        prop_assert_eq!(holds(">="), v >= x);
        prop_assert_eq!(holds("="), v == x);
        prop_assert_eq!(holds(""), v == x);
    }

    /// `N.*` is every version that begins with N, and the operators order around all of them.
    #[test]
    fn a_wildcard_is_every_version_that_begins_so(v in any_version(), n in proptest::collection::vec(0..3_u64, 1..=3)) {
        let x: String = n.iter().map(|part| format!("{part}.")).collect::<String>() + "*";
        let holds = |op: &str| written(&format!("{op}{x}")).contains(&v);
        let within = v.key.parts.starts_with(&n);
        prop_assert_eq!(holds(""), within);
        prop_assert_eq!(holds("="), within);
        prop_assert_eq!(holds("<"), !within && v.key.parts.as_slice() < n.as_slice());
        prop_assert_eq!(holds(">"), !within && v.key.parts.as_slice() > n.as_slice());
        prop_assert_eq!(holds("<="), !holds(">"));
        prop_assert_eq!(holds(">="), !holds("<"));
    }

    /// Agents of every age read what is published alike, and people read back what they wrote.
    #[test]
    fn what_is_written_is_what_is_published_and_what_is_shown(range in any_range(), v in any_version()) {
        let by_agents = published(range.as_published());
        prop_assert_eq!(&by_agents, &range);
        prop_assert_eq!(by_agents.contains(&v), range.contains(&v));
        prop_assert_eq!(written(&range.to_string()).contains(&v), range.contains(&v), "{}", range);
        prop_assert_eq!(written(&range.to_string()).to_string(), range.to_string());
    }

    /// Where semver's own matching has no quirk (releases of three parts), published ranges match as it does.
    #[test]
    fn releases_match_as_semver_matches(parts in any::<[u8; 3]>(), x in any::<[u8; 3]>(), n in 1..=3_usize,
                                        op in proptest::sample::select(vec!["<", "<=", ">", ">=", "=", "^", "~"])) {
        let [a, b, c] = parts.map(|p| p % 4);
        let text = format!("{a}.{b}.{c}");
        let operand: Vec<_> = x[..n].iter().map(|p| (p % 4).to_string()).collect();
        let range = format!("{op}{}", operand.join("."));
        let expected = VersionReq::parse(&range).unwrap().matches(&semver::Version::parse(&text).unwrap());
        prop_assert_eq!(published(&range).contains(&version(&text)), expected, "{} {}", range, text);
    }

    #[test]
    fn no_text_panics(text in ".{0,80}", range in "[0-9.*x<>=^~, abersl-]{0,40}") {
        let _ = text.parse::<ProductVersion>();
        for text in [text, range] {
            let _ = VersionRange::published(&text);
            let _ = VersionRange::written(&text, Whose::Agent);
            if let Ok(range) = text.parse::<VersionRange>() {
                let _ = (range.pre_releases(), range.to_string());
            }
        }
    }
}
