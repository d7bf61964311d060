//! Documents of text: JSON, TOML, XML, PEM, manifests, streams.

use jiff::Timestamp;
use mulberry_lab::forge::{Forge, key};
use mulberry_shared::bundle::Bundle;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::ledger::actor::Actor;
use mulberry_shared::ledger::event::{Event, Record};
use mulberry_shared::ledger::export::{Header, event_line};
use mulberry_shared::limits::Limits;
use mulberry_shared::live;
use mulberry_shared::operators::LedgerHead;
use mulberry_shared::recipe::Lane;
use mulberry_shared::tuf::Signer;
use serde_json::json;

use crate::inputs::{filled, listed};

/// A repository whose keys are all here.
pub(crate) fn forge() -> Forge {
    Forge::new("2026-11-22T00:00:00Z".parse().unwrap()).unwrap()
}

pub(crate) fn spaces(bytes: usize) -> Vec<u8> {
    vec![b' '; bytes]
}

pub(crate) fn values(bytes: usize) -> Vec<u8> {
    listed(bytes, "[", |n| n.to_string(), "]")
}

pub(crate) fn keys(bytes: usize) -> Vec<u8> {
    listed(bytes, "{", |n| format!("\"{}{n:08}\":1", "k".repeat(60)), "}")
}

pub(crate) fn nesting(bytes: usize) -> Vec<u8> {
    listed(bytes, "[", |_| format!("{}{}", "[".repeat(30), "]".repeat(30)), "]")
}

pub(crate) fn escapes(bytes: usize) -> Vec<u8> {
    filled(bytes, "\"", |_| "\\u0000".to_owned(), "\"")
}

pub(crate) fn control_characters(bytes: usize) -> Vec<u8> {
    filled(bytes, "\"", |_| "\u{1}".to_owned(), "\"")
}

/// A root that names one key again and again, under other labels, for every role.
pub(crate) fn root_of_keys(bytes: usize) -> Vec<u8> {
    let one = serde_json::to_string(key(1).unwrap().key()).unwrap();
    let label = |n: usize| format!("\"{n:064}\"");
    let each = label(0).len() * 5 + one.len() + 6;
    let count = bytes / each;
    let labels = (0..count).map(label).collect::<Vec<_>>().join(",");
    let keys = (0..count).map(|n| format!("{}:{one}", label(n))).collect::<Vec<_>>().join(",");
    let role = |name: &str| format!("\"{name}\":{{\"keyids\":[{labels}],\"threshold\":1}}");
    let roles = ["root", "snapshot", "targets", "timestamp"].map(role).join(",");
    format!(
        "{{\"signatures\":[],\"signed\":{{\"_type\":\"root\",\"consistent_snapshot\":true,\"expires\":\"2027-01-01T00:00:00Z\",\
         \"keys\":{{{keys}}},\"roles\":{{{roles}}},\"spec_version\":\"1.0.31\",\"version\":1}}}}"
    )
    .into_bytes()
}

/// A root, and targets that delegate to ever more roles.
pub(crate) fn targets_of_delegations(bytes: usize) -> Vec<u8> {
    let forge = forge();
    let root = serde_json::to_string(&forge.root).unwrap();
    let start = format!(
        "[{root},{{\"_type\":\"targets\",\"spec_version\":\"1.0.31\",\"version\":1,\"expires\":\"2027-01-01T00:00:00Z\",\
         \"targets\":{{}},\"delegations\":{{\"keys\":{{}},\"roles\":["
    );
    let role = |n: usize| {
        format!(
            "{{\"name\":\"role-{n}\",\"keyids\":[\"{n:064}\"],\"threshold\":1,\"terminating\":true,\"paths\":[\"{n}/*\"]}}"
        )
    };
    listed(bytes, &start, role, "]}}]")
}

const DELEGATION: &str = "{\"name\":\"r\",\"keyids\":[],\"threshold\":1,\"paths\":[";

pub(crate) fn patterns(bytes: usize, of: &str) -> Vec<u8> {
    listed(bytes, DELEGATION, |_| format!("\"*{}x\"", of.repeat(16)), "]}")
}

pub(crate) fn long_pattern(bytes: usize, start: &str, of: &str, end: &str) -> Vec<u8> {
    filled(bytes, &format!("{DELEGATION}\"{start}"), |_| of.to_owned(), &format!("{end}x\"]}}"))
}

/// An edition whose emergency lane lists as many recipes as fit, each an empty object.
pub(crate) fn edition(bytes: usize) -> Vec<u8> {
    /// Bytes of one without recipes.
    const EMPTY: usize = 10_800;
    let mut forge = forge();
    for number in 0..(bytes - EMPTY) / 242 {
        forge.list(Lane::Emergency, &format!("emergency/recipe-{number:08}.json"), b"{}");
    }
    forge.put_lane(Lane::Emergency).unwrap();
    forge.publish().unwrap();
    Bundle::new(forge.files, &Limits::default().bundle).unwrap().write()
}

pub(crate) fn gates(bytes: usize) -> Vec<u8> {
    let gate = |n: usize| {
        format!(
            "\"emergency/r-{n:06}.json\":{{\"approval\":{{\"expires\":\"2026-11-23T00:00:00Z\",\"percent\":500,\
             \"signatures\":[{{\"keyid\":\"k\",\"sig\":\"00\"}}],\"since\":\"2026-11-22T00:00:00Z\"}},\"percent\":500,\
             \"reason\":\"canary\",\"revision\":1,\"since\":\"2026-11-22T00:00:00Z\",\"state\":\"open\"}}"
        )
    };
    listed(bytes, "{\"gates\":{", gate, "},\"schema_version\":2}")
}

pub(crate) fn unknown_keys(bytes: usize) -> Vec<u8> {
    filled(bytes, "", |n| format!("k{n} = 1\n"), "")
}

pub(crate) fn dotted_keys(bytes: usize) -> Vec<u8> {
    filled(bytes, "", |n| format!("{}.k{n} = 1\n", ["a"; 40].join(".")), "")
}

pub(crate) fn tables(bytes: usize) -> Vec<u8> {
    filled(bytes, "", |n| format!("[{}.t{n}]\n", ["a"; 40].join(".")), "")
}

pub(crate) fn lists_of_tables(bytes: usize) -> Vec<u8> {
    filled(bytes, "", |_| "[[rollout.plan]]\npercent = 1\n".to_owned(), "")
}

pub(crate) fn long_list(bytes: usize) -> Vec<u8> {
    listed(bytes, "[targeting]\nlocales = [", |n| format!("\"? {n}\""), "]\n")
}

pub(crate) fn inline_tables(bytes: usize) -> Vec<u8> {
    let one = |n: usize| format!("k{n} = {}1{}\n", "{a = ".repeat(20), "}".repeat(20));
    filled(bytes, "", one, "")
}

pub(crate) fn unknown_fields(bytes: usize) -> Vec<u8> {
    listed(bytes, "{", |n| format!("\"field-{n:08}\":1"), ",\"schema_version\":1}")
}

/// A recipe whose one list is far too long.
pub(crate) fn distrust_entries(bytes: usize) -> Vec<u8> {
    let start = "{\"action\":\"distrust-certificates\",\"capabilities\":[],\"consent\":\"security\",\
                 \"expires\":\"2027-01-01T00:00:00Z\",\"lane\":\"emergency\",\"name\":\"x\",\"on_end\":\"keep\",\"opens\":\"server\",\
                 \"revision\":1,\"rollout\":{\"max_percent\":1,\"namespace\":\"x\"},\"schema_version\":1,\"slug\":\"fix\",\"targeting\":{},\
                 \"arguments\":{\"by\":[";
    listed(bytes, start, |n| format!("{{\"spki_sha256\":\"{n:064}\"}}"), "]}}")
}

fn base64(bytes: usize) -> String {
    "QUFB".repeat(bytes / 4)
}

pub(crate) fn proposal(bytes: usize) -> Vec<u8> {
    let recipe = |n: usize| format!("\"emergency/r-{n:06}.json\":\"e30=\"");
    listed(
        bytes,
        "{\"format\":1,\"role\":\"emergency\",\"metadata\":\"e30=\",\"withdraw\":[],\"recipes\":{",
        recipe,
        "}}",
    )
}

pub(crate) fn ceremony(bytes: usize) -> Vec<u8> {
    let body = base64(bytes.saturating_sub(60));
    json!({"format": 1, "kind": "ceremony", "parts": {"root": body}}).to_string().into_bytes()
}

pub(crate) fn public_keys(bytes: usize) -> Vec<u8> {
    let one = serde_json::to_string(key(1).unwrap().key()).unwrap();
    listed(bytes, "{\"format\":1,\"kind\":\"public-keys\",\"keys\":{", |n| format!("\"{n}\":{one}"), "}}")
}

pub(crate) fn opening(bytes: usize) -> Vec<u8> {
    let start = format!(
        "{{\"format\":1,\"kind\":\"gate-opening\",\"path\":\"emergency/fix.json\",\"revision\":1,\"sha256\":\"{:064}\",\"percent\":1,\
         \"since\":\"2026-11-22T00:00:00Z\",\"expires\":\"2026-11-23T00:00:00Z\",\"reason\":\"x\",\"signatures\":[",
        0
    );
    listed(bytes, &start, |n| format!("{{\"keyid\":\"{n:064}\",\"sig\":\"00\"}}"), "]}")
}

pub(crate) fn publish_request(bytes: usize) -> Vec<u8> {
    let recipe = |n: usize| format!("\"emergency/r-{n:06}.json\":\"e30=\"");
    listed(bytes, "{\"metadata\":\"e30=\",\"recipes\":{", recipe, "}}")
}

pub(crate) fn bundle(bytes: usize) -> Vec<u8> {
    let files = (0..bytes / 40).map(|n| (format!("metadata/{n:09}.root.json"), b"{}".to_vec())).collect();
    let limits = mulberry_shared::limits::BundleLimits { entries: usize::MAX, ..Limits::default().bundle };
    Bundle::new(files, &limits).unwrap().write()
}

/// A ledger of ever more small events.
pub(crate) fn export(bytes: usize) -> Vec<u8> {
    let at: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
    let mut head = LedgerHead { sequence: 0, head: Sha256Digest([0; 32]) };
    let (mut lines, mut first) = (Vec::new(), None);
    while lines.len() < bytes {
        let record = Record {
            format: 2,
            sequence: head.sequence + 1,
            previous: head.head,
            salt: Some("0".repeat(32)),
            at,
            actor: Actor::Unknown("test".into()),
            event: Event::Initialised {
                roots: Vec::new(),
                targets: mulberry_shared::operators::Base64(Vec::new()),
                lanes: Default::default(),
            },
        };
        let record_bytes = record.to_bytes().unwrap();
        head = LedgerHead { sequence: record.sequence, head: Sha256Digest::of(&record_bytes) };
        first.get_or_insert(head.head);
        lines.extend(event_line(&[head.head.0.as_slice(), &record_bytes].concat()).unwrap());
    }
    [Header::new(first.unwrap(), head).line().unwrap(), lines].concat()
}

pub(crate) fn record(bytes: usize) -> Vec<u8> {
    let start = format!(
        "{{\"format\":2,\"sequence\":1,\"previous\":\"{:064}\",\"at\":\"2026-11-22T00:00:00Z\",\"actor\":\"x\",\"event\":\
         {{\"type\":\"initialised\",\"targets\":\"\",\"lanes\":{{}},\"roots\":[",
        0
    );
    listed(bytes, &start, |_| "\"e30=\"".to_owned(), "]}}")
}

pub(crate) fn links(bytes: usize) -> Vec<u8> {
    let digest = |n: u8| format!("\"{}\"", Sha256Digest([n; 32]));
    let start =
        format!("{{\"format\":1,\"ledger\":{},\"first\":1,\"before\":{},\"hashes\":[", digest(7), digest(0));
    listed(bytes, &start, |_| digest(7), "]}")
}

pub(crate) fn continuations(bytes: usize) -> Vec<u8> {
    let one = |n: usize| {
        format!(
            "{{\"signatures\":[{{\"keyid\":\"{n:064}\",\"sig\":\"00\"}}],\"signed\":{{\"_type\":\"ledger-continues\"}}}}"
        )
    };
    listed(bytes, "{\"format\":1,\"continues\":[", one, "]}")
}

pub(crate) fn lines(bytes: usize) -> Vec<u8> {
    filled(bytes, "", |n| live::announcement(n as u64), "")
}

pub(crate) fn one_event(bytes: usize) -> Vec<u8> {
    filled(bytes, "event: edition\n", |_| "data: 1\n".to_owned(), "\n")
}

pub(crate) fn range(bytes: usize) -> Vec<u8> {
    listed(bytes, "", |n| format!(">={n}"), "")
}

pub(crate) fn pem(bytes: usize, of: &str) -> Vec<u8> {
    filled(bytes, "", |_| of.to_owned(), "")
}

pub(crate) fn sections(bytes: usize) -> Vec<u8> {
    let section = |n: usize| {
        format!("\r\nName: {}{n:08}\r\nSHA1-Digest: hvfkN/qlp/zhXR3cuerq6jd2Z7g=\r\n", "a/".repeat(20))
    };
    filled(bytes, "Manifest-Version: 1.0\r\n", section, "")
}

pub(crate) fn continued_lines(bytes: usize) -> Vec<u8> {
    // A name of as many lines as a name may have, again and again.
    let section =
        |n: usize| format!("\nName: {n}\n{}SHA1-Digest: hvfkN/qlp/zhXR3cuerq6jd2Z7g=\n", " a\n".repeat(900));
    filled(bytes, "Manifest-Version: 1.0\n", section, "")
}

pub(crate) fn attributes(bytes: usize) -> Vec<u8> {
    filled(bytes, "Manifest-Version: 1.0\n", |n| format!("X-{n}: 1\n"), "")
}

pub(crate) fn comments(bytes: usize) -> Vec<u8> {
    filled(bytes, "{\"version\":\"1\"", |_| "//\n".to_owned(), "}")
}

const RDF: &str =
    "<RDF xmlns:em=\"http://www.mozilla.org/2004/em-rdf#\" about=\"urn:mozilla:install-manifest\"";

pub(crate) fn rdf_children(bytes: usize) -> Vec<u8> {
    filled(bytes, &format!("{RDF}>"), |n| format!("<c xmlns:n{n}=\"urn:{n}\"/>"), "</RDF>")
}

/// What kept a run busy for minutes: many namespaces in force, and many children that each declare one more.
pub(crate) fn rdf_namespaces(bytes: usize) -> Vec<u8> {
    let most = Limits::default().xpi.xml.namespaces - 2;
    let declared: String = (0..most).map(|n| format!(" xmlns:n{n}=\"urn:{n}\"")).collect();
    filled(bytes, &format!("{RDF}{declared}>"), |n| format!("<em:c xmlns:m{n}=\"urn:{n}\"/>"), "</RDF>")
}

pub(crate) fn rdf_attributes(bytes: usize) -> Vec<u8> {
    let most = Limits::default().xpi.xml.attributes;
    let attributes: String = (0..most).map(|n| format!(" em:a{n}=\"\"")).collect();
    filled(bytes, &format!("{RDF}>"), |_| format!("<c{attributes}/>"), "</RDF>")
}

pub(crate) fn rdf_nesting(bytes: usize) -> Vec<u8> {
    let most = Limits::default().xpi.xml.depth - 1;
    filled(bytes, &format!("{RDF}>"), |_| format!("{}{}", "<c>".repeat(most), "</c>".repeat(most)), "</RDF>")
}

pub(crate) fn rdf_references(bytes: usize) -> Vec<u8> {
    filled(bytes, &format!("{RDF}><em:id>"), |_| "&amp;".to_owned(), "</em:id></RDF>")
}

/// Prefixes that are compared from their beginning and differ at their end.
pub(crate) fn rdf_prefixes(bytes: usize) -> Vec<u8> {
    let prefix = |n: usize| format!("{}{n}", "p".repeat(200));
    let most = Limits::default().xpi.xml.namespaces - 1;
    let declared: String = (10..10 + most).map(|n| format!(" xmlns:{}=\"urn:{n}\"", prefix(n))).collect();
    filled(bytes, &format!("{RDF}{declared}>"), |n| format!("<{}:c/>", prefix(10 + n % most)), "</RDF>")
}
