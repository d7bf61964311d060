//! Versions and ranges by example and by property.

use super::*;
use proptest::prelude::*;

fn version(text: &str) -> ProductVersion {
    text.parse().unwrap()
}

fn matches(range: &str, text: &str) -> bool {
    range.parse::<VersionRange>().unwrap().contains(&version(text))
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
    assert_eq!(version("68.0b3"), version("68.0.0-beta.3"));
    assert_eq!(version("69.0a1"), version("69.0.0-alpha.1"));
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
        "1.0-rc.1",
        "1.2.3-",
        "1.2.3-a..b",
        "1.2.3+build",
        "66.0ESR",
        "66.0b3esr",
        "٦",
        &long,
    ] {
        assert!(bad.parse::<ProductVersion>().is_err(), "{bad}");
    }
}

#[test]
fn pre_releases_are_in_plain_order() {
    // What semver's own matching gets wrong for an emergency.
    assert!(!VersionReq::parse(">=60").unwrap().matches(&semver::Version::parse("61.0.0-beta.3").unwrap()));
    assert!(matches(">=60", "61.0b3"));
    assert!(matches(">=60, <67", "66.0b14") && matches(">=60, <67", "67.0b1"));
    assert!(!matches(">=60", "60.0b3") && matches(">=60.0.0-beta.3", "60.0b3"));
    assert!(matches("*", "60.0a1"));
}

#[test]
fn operators_mean_what_the_documentation_says() {
    for (range, inside, outside) in [
        ("<60.1.2", "60.1.1", "60.1.2"),
        ("<60.1.2", "60.1.2b1", "60.1.2.1"),
        ("<=60.1.2", "60.1.2", "60.1.2.1"),
        (">60.1.2", "60.1.2.1", "60.1.2"),
        ("<=60", "60.9esr", "61.0a1"),
        (">60", "61.0a1", "60.9.9.9"),
        ("=60", "60.9", "60.0b3"),
        ("60.*", "60.0", "61.0a1"),
        ("=60.6", "60.6.2esr", "60.7b1"),
        ("=60.6.2", "60.6.2esr", "60.6.3"),
        ("60", "60.6", "61.0b1"),
        ("^0.2.3", "0.2.9", "0.3.0b1"),
        ("^0.0.3", "0.0.3", "0.0.4b1"),
        ("^0.0", "0.0.9", "0.1"),
        ("^0", "0.9", "1.0a1"),
        ("~60.6.1", "60.6.9", "60.7a1"),
        ("~60", "60.9", "61.0a1"),
    ] {
        assert!(matches(range, inside), "{range} has {inside}");
        assert!(!matches(range, outside), "{range} has not {outside}");
    }
    let agent: VersionRange = ">=0.2".parse().unwrap();
    assert!(agent.contains_semver(&semver::Version::parse("0.3.0-dev").unwrap()));
    assert!(!agent.contains_semver(&semver::Version::parse("0.2.0-dev").unwrap()));
}

#[test]
fn ranges_without_a_version_and_nonsense_are_refused() {
    for bad in [
        "",
        ">=67, <60",
        "=60, =61",
        ">60, <=60",
        "<60, >=60",
        ">=60 <67",
        "60.6.2esr",
        "sixty",
        &format!(">={}", "1".repeat(400)),
    ] {
        assert!(bad.parse::<VersionRange>().is_err(), "{bad}");
    }
    let error = ">=67, <60".parse::<VersionRange>().unwrap_err().to_string();
    assert!(error.contains("no version can match"), "{error}");
    // At the end of the number space nothing overflows.
    let huge = format!(">{}", u64::MAX);
    assert!(!matches(&huge, "4294967295.0"));
    assert!(matches(&format!("<={}", u64::MAX), "4294967295.0"));
}

fn any_version() -> impl Strategy<Value = ProductVersion> {
    let part = 0..3_u32;
    let suffix = proptest::sample::select(vec!["", "esr", "a1", "b1", "b2", "b10", "rc1"]);
    (proptest::collection::vec(part, 1..=4), suffix).prop_map(|(parts, suffix)| {
        let parts: Vec<_> = parts.iter().map(ToString::to_string).collect();
        version(&format!("{}{suffix}", parts.join(".")))
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

    /// The operators are what each other's documentation says, for operands of one to three parts.
    #[test]
    fn operators_agree_with_each_other(v in any_version(), parts in proptest::collection::vec(0..3_u32, 1..=3)) {
        let x: Vec<_> = parts.iter().map(ToString::to_string).collect();
        let x = x.join(".");
        // `<0` and the like match only pre-releases, which is a range all the same.
        let holds = |op: &str| format!("{op}{x}").parse::<VersionRange>().unwrap().contains(&v);
        prop_assert_eq!(holds("<"), !holds(">="));
        prop_assert_eq!(holds(">"), !holds("<="));
        prop_assert_eq!(holds("="), holds(">=") && holds("<="));
        prop_assert_eq!(holds(">="), v >= version(&x));
    }

    /// Where semver's own matching has no quirk (releases of three parts), both agree.
    #[test]
    fn releases_match_as_semver_matches(parts in any::<[u8; 3]>(), x in any::<[u8; 3]>(), n in 1..=3_usize,
                                        op in proptest::sample::select(vec!["<", "<=", ">", ">=", "=", "^", "~"])) {
        let [a, b, c] = parts.map(|p| p % 4);
        let text = format!("{a}.{b}.{c}");
        let operand: Vec<_> = x[..n].iter().map(|p| (p % 4).to_string()).collect();
        let range = format!("{op}{}", operand.join("."));
        let expected = VersionReq::parse(&range).unwrap().matches(&semver::Version::parse(&text).unwrap());
        prop_assert_eq!(matches(&range, &text), expected, "{} {}", range, text);
    }

    #[test]
    fn no_text_panics(text in ".{0,80}") {
        let _ = text.parse::<ProductVersion>();
        let _ = text.parse::<VersionRange>();
    }
}
