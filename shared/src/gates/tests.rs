use super::*;
use crate::limits::Limits;

const GOOD: &str = r#"{"gates":{"emergency/fix.json":{"percent":2500,"reason":"canary","revision":2,"since":"2019-05-05T00:00:00Z","state":"open"}},"schema_version":1}"#;

fn read(text: &str) -> Result<ReadGates, UnreadableGates> {
    ReadGates::read(text.as_bytes(), &Limits::default())
}

fn fix() -> RecipePath {
    "emergency/fix.json".parse().unwrap()
}

#[test]
fn a_document_reads_and_writes_back_the_same_bytes() {
    let gates = read(GOOD).unwrap().whole().unwrap();
    assert_eq!(gates.write(), GOOD.as_bytes());
    assert_eq!(gates.of(&fix(), 2).unwrap().percent.to_string(), "25%");
    assert_eq!(gates.of(&fix(), 1), None, "it speaks for its revision only");
    assert_eq!(gates.of(&fix(), 3), None);
    assert_eq!(gates.of(&"routine/fix.json".parse().unwrap(), 2), None);
    let empty = Gates::default();
    assert_eq!(read(std::str::from_utf8(&empty.write()).unwrap()).unwrap(), empty.into());
}

#[test]
fn what_is_not_understood_in_a_gate_closes_that_gate_alone_and_ends_nothing() {
    let other = r#"{"gates":{"emergency/a.json":{"percent":1,"reason":"","revision":1,"since":"2019-05-05T00:00:00Z","state":"ended"},"#;
    let two = GOOD.replacen(r#"{"gates":{"#, other, 1);
    let ended = two.replacen("\"open\"", "\"ended\"", 1);
    for (from, to, why) in [
        (
            "\"reason\":\"canary\"",
            "\"rings\":[\"qa\"],\"reason\":\"\"",
            "its member \"rings\" is not known here",
        ),
        ("\"reason\":\"canary\"", "\"\\u001b[2J\":1", r#"its member "\u{1b}[2J" is not known here"#),
        ("\"open\"", "\"ajar\"", "its state \"ajar\" is not known here"),
        ("2500", "10001", "not the expected document"),
        ("2500", "\"25\"", "not the expected document"),
        ("\"revision\":2,", "", "missing field `revision`"),
        ("\"canary\"", "\"\\u001b[2J\"", "control characters"),
        ("\"canary\"", &format!("\"{}\"", "x".repeat(501)), "longer than 500 bytes"),
        ("2019-05-05T00:00:00Z\",\"state\":\"open", "today\",\"state\":\"open", "not the expected document"),
        ("\"reason\":\"canary\"", "\"note\":\"\",\"reason\":\"canary\"", "duplicate field"),
        ("\"reason\":\"canary\"", "\"ended\":[2]", "not an earlier one"),
        ("\"reason\":\"canary\"", "\"ended\":[\"1\"]", "not the expected document"),
        ("\"reason\":\"canary\"", "\"ended\":1", "not the expected document"),
    ] {
        for text in [&two, &ended] {
            let (head, tail) = text.split_at(text.find("emergency/fix").unwrap());
            let from = if text == &ended { from.replace("open", "ended") } else { from.to_owned() };
            assert!(tail.contains(&from), "{from}");
            let read = read(&format!("{head}{}", tail.replacen(&from, to, 1))).unwrap();
            assert_eq!(read.gates.0.len(), 1, "{to}");
            assert!(read.end_of(&"emergency/a.json".parse().unwrap(), 1).is_some(), "{to}");
            let unclear = read.unclear[&fix()].to_string();
            assert!(unclear.contains(why), "{to}: {unclear}");
            assert_eq!(read.end_of(&fix(), 2), None, "{to}");
            assert!(read.clone().whole().unwrap_err().to_string().contains("emergency/fix.json"));
        }
    }
}

#[test]
fn a_newer_document_keeps_the_gates_that_are_understood_whole() {
    for (from, to) in [
        (":1}", ":4}"),
        (":1}", ":9007199254740993}"),
        ("\"schema_version\"", "\"later\":{\"a\":[1]},\"schema_version\""),
        // Of a lane that is not known here, and no path of a recipe at all.
        ("{\"gates\":{", "{\"gates\":{\"nightly/a.json\":{},\"..\":1,"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        assert_eq!(read(&GOOD.replacen(from, to, 1)), read(GOOD), "{from} -> {to}");
    }
}

#[test]
fn what_is_no_document_of_gates_is_refused_whole() {
    for (from, to) in [
        (":1}", ":0}"),
        (":1}", ":-1}"),
        (":1}", ":\"1\"}"),
        (",\"schema_version\":1", ""),
        ("\"gates\"", "\"gate\""),
        ("2500", "25.5"),
        ("{\"gates\"", "{\"schema_version\":1,\"gates\""),
        ("{\"percent\"", "{\"percent\":1,\"percent\""),
    ] {
        assert!(GOOD.contains(from), "{from}");
        assert!(read(&GOOD.replacen(from, to, 1)).is_err(), "{from} -> {to}");
    }
    assert!(read("[]").is_err() && read(r#"{"gates":[],"schema_version":1}"#).is_err());
    let mut limits = Limits::default();
    limits.recipe.gates = 0;
    let refused = ReadGates::read(GOOD.as_bytes(), &limits).unwrap_err();
    assert!(refused.to_string().contains("more than 0 gates"));
}

#[test]
fn each_number_says_no_more_than_its_readers_know() {
    let number = |text: &str| {
        let gates = read(text).unwrap().whole().unwrap();
        let written = String::from_utf8(gates.write()).unwrap();
        assert_eq!(read(&written).unwrap(), gates.into());
        written.rsplit(':').next().unwrap().trim_end_matches('}').parse::<u64>().unwrap()
    };
    let approval = |more: &str| {
        let approval = format!(
            r#""approval":{{"expires":"2019-05-06T00:00:00Z",{more}"percent":2500,"signatures":[{{"keyid":"k","sig":"00"}}],"since":"2019-05-05T00:00:00Z"}},"percent""#
        );
        GOOD.replacen("\"percent\"", &approval, 1)
    };
    assert_eq!(number(GOOD), 1);
    assert_eq!(number(&GOOD.replace("\"canary\"", "\"\"")), 1);
    assert_eq!(number(&GOOD.replace("\"reason\":\"canary\",", "")), 1, "a note need not be there");
    assert_eq!(number(&approval("")), 2);
    assert_eq!(number(&approval(r#""open_until":"2019-05-07T00:00:00Z","#)), 3);
    assert_eq!(number(&GOOD.replace("\"reason\"", "\"ended\":[1],\"reason\"")), 3);
    let two = approval("");
    for (from, to) in [
        ("\"sig\"", "\"later\":1,\"sig\""),
        ("\"signatures\"", "\"later\":1,\"signatures\""),
        ("\"percent\":2500,\"signatures\"", "\"percent\":10001,\"signatures\""),
    ] {
        assert!(two.contains(from), "{from}");
        assert!(read(&two.replacen(from, to, 1)).unwrap().unclear.contains_key(&fix()), "{from} -> {to}");
    }
}

#[test]
fn a_gate_ends_its_own_revision_or_those_that_it_lists() {
    let text = GOOD.replace("\"revision\":2", "\"ended\":[1,3],\"revision\":5");
    let gates = read(&text).unwrap();
    let ended = |revision| gates.end_of(&fix(), revision).map(|end| (end.listed, end.gate.revision));
    assert_eq!(ended(1), Some((true, 5)));
    assert!(ended(3).is_some() && ended(2).is_none() && ended(4).is_none() && ended(5).is_none());
    let over = read(&text.replace("open", "ended")).unwrap();
    let end = over.end_of(&fix(), 5).unwrap();
    assert_eq!((end.listed, &*end.gate.since().to_string()), (false, "2019-05-05T00:00:00Z: canary"));
    assert_eq!(over.end_of(&fix(), 4), None, "the end of a newer revision ends no older one");
}
