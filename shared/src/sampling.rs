//! Who is in a percentage: Normandy's buckets.
//!
//! The method is that of Firefox's Normandy (mozilla-central, `toolkit/components/utils/Sampling.sys.mjs`,
//! `bucketSample`) and of the Nimbus SDK: the first 48 bits of the SHA-256 of a JSON text are compared with the
//! fraction of 2^48 - 1 that the bucket ends at. The JSON text is the array `[namespace, client_id]`. So a client's
//! place is sticky, independent between namespaces, and raising a percentage never drops a client.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The number of buckets: one per hundredth of a percent.
const BUCKETS: u16 = 10_000;

/// The largest value of 48 bits.
const HASH_MAX: f64 = ((1_u64 << 48) - 1) as f64;

/// A share of all clients in hundredths of a percent, 0 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BasisPoints(u16);

impl BasisPoints {
    /// Nobody.
    pub const NOBODY: Self = Self(0);
    /// Everyone.
    pub const EVERYONE: Self = Self(BUCKETS);

    /// `points` hundredths of a percent; `None` above 10,000.
    #[must_use]
    pub fn new(points: u16) -> Option<Self> {
        (points <= BUCKETS).then_some(Self(points))
    }

    /// The number of hundredths of a percent, 0 to 10,000.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

/// Shown as a percentage: `25%`, `12.5%`.
impl fmt::Display for BasisPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 100, self.0 % 100);
        if part == 0 {
            write!(f, "{whole}%")
        } else if part.is_multiple_of(10) {
            write!(f, "{whole}.{}%", part / 10)
        } else {
            write!(f, "{whole}.{part:02}%")
        }
    }
}

/// The text is not a percentage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a percentage: {0:?}: expected a number from 0 to 100 with at most two decimals")]
pub struct NotAPercentage(String);

/// Reads a percentage: `25`, `12.5`, `0.01`, with or without a final `%`.
impl FromStr for BasisPoints {
    type Err = NotAPercentage;

    fn from_str(text: &str) -> Result<Self, NotAPercentage> {
        parse_percent(text).ok_or_else(|| NotAPercentage(text.chars().take(40).collect()))
    }
}

fn parse_percent(text: &str) -> Option<BasisPoints> {
    let number = text.strip_suffix('%').unwrap_or(text);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |s: &str, max| !s.is_empty() && s.len() <= max && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole, 3) || !digits(decimals, 2) {
        return None;
    }
    let hundredths: u16 = decimals.parse().ok()?;
    let hundredths = if decimals.len() == 1 { hundredths * 10 } else { hundredths };
    // Three digits of per cent may be more than a u16 of basis points: 678 must be refused and not wrap to 22.64.
    BasisPoints::new(whole.parse::<u16>().ok()?.checked_mul(100)?.checked_add(hundredths)?)
}

impl Serialize for BasisPoints {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.0)
    }
}

impl<'de> Deserialize<'de> for BasisPoints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let points = u16::deserialize(deserializer)?;
        Self::new(points)
            .ok_or_else(|| serde::de::Error::custom("basis points above 10000 (10000 is everyone)"))
    }
}

/// Whether the client is among the first `share` of all clients, in the order that `namespace` gives them.
///
/// Total, sticky and monotonic in `share`. [`BasisPoints::EVERYONE`] holds for every client; Normandy itself leaves
/// out the one hash in 2^48 that is all ones.
#[must_use]
pub fn in_sample(namespace: &str, client_id: &str, share: BasisPoints) -> bool {
    share == BasisPoints::EVERYONE || truncated_hash(&sampling_input(namespace, client_id)) < threshold(share)
}

/// What is hashed: the bytes that `JSON.stringify([namespace, client_id])` gives.
fn sampling_input(namespace: &str, client_id: &str) -> Vec<u8> {
    // serde_json escapes what JSON.stringify escapes, in the same way: quotation mark, backslash and the control
    // characters below U+0020, with the short forms for b, f, n, r, t and lower-case \u00xx for the rest.
    serde_json::Value::from(vec![namespace, client_id]).to_string().into_bytes()
}

/// The first 48 bits of the SHA-256 of `json`. Normandy compares them as 12 hexadecimal digits, which is the same
/// order.
fn truncated_hash(json: &[u8]) -> u64 {
    let digest: [u8; 32] = Sha256::digest(json).into();
    digest.iter().take(6).fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

/// The first 48-bit value that is outside `share`.
///
/// In floating point, as Normandy computes it: the same rounding gives the same clients.
fn threshold(share: BasisPoints) -> u64 {
    (f64::from(share.0) / f64::from(BUCKETS) * HASH_MAX).floor() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// mozilla/application-services, components/nimbus/src/tests/test_sampling.rs: "retrieved from testing the same
    /// input against crypto.subtle in js".
    #[test]
    fn hashes_are_those_published_with_nimbus() {
        for (json, hash) in [
            (r#"[1234,"test_namespace"]"#, 0x2a6e_18a8_6edc),
            ("null", 0x7423_4e98_afe7),
            (r#""""#, 0x12ae_32cb_1ec0),
            (r#"{"id":1234,"namespace":"experiment"}"#, 0x5d1e_ffd4_b032),
        ] {
            assert_eq!(truncated_hash(json.as_bytes()), hash, "{json}");
        }
    }

    /// The same file, `test_bucket_sample`, "tested against the desktop implementation": of 10,000 buckets the first
    /// client is in the first 2,000, the second in the 3,000 that follow.
    #[test]
    fn buckets_are_those_published_with_nimbus() {
        let slug = "bug-1637316-message-aboutwelcome-pull-factor-reinforcement-76-rel-release-76-77";
        let (first, second) =
            ("299eed1e-be6d-457d-9e53-da7b1a03f10d", "c590d3f5-fe9d-4820-97c9-f403535dd306");
        // What is hashed there is [client, slug]: the order of the two texts means nothing to the method.
        assert!(in_sample(first, slug, BasisPoints(2_000)));
        assert!(!in_sample(second, slug, BasisPoints(2_000)));
        assert!(in_sample(second, slug, BasisPoints(5_000)));
    }

    /// mozilla-central, toolkit/components/utils/test/unit/test_Sampling.js: `stableSample` and `bucketSample` of
    /// "test", "test-0" and "test-1" at 0, 0.5 and 1.
    #[test]
    fn samples_are_those_published_with_firefox() {
        let in_half = |json: &str| truncated_hash(json.as_bytes()) < threshold(BasisPoints(5_000));
        assert!(in_half(r#""test-0""#));
        assert!(!in_half(r#""test-1""#));
        assert!(in_sample("test", "any", BasisPoints::EVERYONE));
        assert!(!in_sample("test", "any", BasisPoints::NOBODY));
        assert_eq!(threshold(BasisPoints::NOBODY), 0);
        assert_eq!(threshold(BasisPoints::EVERYONE), 0xffff_ffff_ffff);
    }

    /// Printed by Node.js 20: `JSON.stringify([...])`.
    #[test]
    fn input_is_what_json_stringify_gives() {
        assert_eq!(sampling_input("ns", "id"), br#"["ns","id"]"#);
        assert_eq!(
            sampling_input("a\"\\/\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}", "é\u{2028}😀"),
            "[\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\u{7f}\",\"é\u{2028}😀\"]".as_bytes()
        );
    }

    #[test]
    fn shares_are_proportional_and_namespaces_are_independent() {
        let share = BasisPoints(3_000);
        let (mut first, mut second, mut both) = (0, 0, 0);
        for client in 0..20_000 {
            let client = format!("client-{client}");
            let (a, b) = (in_sample("alpha", &client, share), in_sample("beta", &client, share));
            first += u32::from(a);
            second += u32::from(b);
            both += u32::from(a && b);
        }
        // Means 6000, 6000 and 1800; bounds at five standard deviations. The inputs are fixed, so this never flickers.
        assert!(first.abs_diff(6_000) < 325, "{first}");
        assert!(second.abs_diff(6_000) < 325, "{second}");
        assert!(both.abs_diff(1_800) < 203, "{both}");
    }

    #[test]
    fn percentages_read_and_show() {
        for (text, points) in
            [("0", 0), ("25", 2_500), ("12.5", 1_250), ("0.01", 1), ("100", 10_000), ("7.05", 705)]
        {
            assert_eq!(text.parse(), Ok(BasisPoints(points)));
            assert_eq!(BasisPoints(points).to_string(), format!("{text}%"));
        }
        for bad in [
            "", ".", "1.", ".5", "100.01", "101", "656", "678", "999.99", "-1", "1e2", "12.345", "0x10",
            "1 ", "9999999",
        ] {
            assert!(bad.parse::<BasisPoints>().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<BasisPoints>("10001").is_err());
        assert!(serde_json::from_str::<BasisPoints>("12.5").is_err());
    }

    proptest! {
        #[test]
        fn raising_a_share_never_drops_a_client(ns in ".{0,20}", id in ".{0,40}", a in 0..=10_000_u16, b in 0..=10_000_u16) {
            let (low, high) = (BasisPoints(a.min(b)), BasisPoints(a.max(b)));
            prop_assert!(!in_sample(&ns, &id, low) || in_sample(&ns, &id, high));
            prop_assert!(threshold(low) <= threshold(high));
            prop_assert_eq!(in_sample(&ns, &id, low), in_sample(&ns, &id, low));
        }

        #[test]
        fn every_share_survives_its_text(points in 0..=10_000_u16) {
            let share = BasisPoints(points);
            prop_assert_eq!(share.to_string().parse(), Ok(share));
        }
    }
}
