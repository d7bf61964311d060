//! Every example of `shared/docs/formats.md` is read by the real reader, or compared with what the programs write; and what
//! a later version wrote is refused with a sentence, and left alone.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mulberry_lab::binaries::workspace;
use mulberry_lab::replay::material::Material;
use mulberry_lab::stage::Stage;
use mulberry_shared::approval::OpeningFile;
use mulberry_shared::ceremony::Ceremony;
use mulberry_shared::ceremony::public::PublicKeys;
use mulberry_shared::gates::ReadGates;
use mulberry_shared::ledger::continuation::Continuation;
use mulberry_shared::ledger::links::Links;
use mulberry_shared::limits::Limits;
use mulberry_shared::live;
use mulberry_shared::proposal::Proposal;
use mulberry_shared::recipe::{RecipePath, published};
use serde_json::Value;

#[test]
fn recipe_gates_proposal_and_event_are_what_our_own_writers_write() {
    let recipe = example("json recipe");
    let path: RecipePath = "emergency/hold-verification.json".parse().unwrap();
    let read = published::read(&path, recipe.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(String::from_utf8(published::write(&read)).unwrap(), recipe);

    let gates = example("json gates");
    let read = ReadGates::read(gates.as_bytes(), &Limits::default()).unwrap().whole().unwrap();
    assert!(read.0.contains_key(&path));
    assert_eq!(String::from_utf8(read.write()).unwrap().trim_end(), gates);

    let proposal = example("json proposal");
    let read = Proposal::read(proposal.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(String::from_utf8(read.write().unwrap()).unwrap().trim_end(), proposal);

    let ceremony = example("json ceremony");
    let read = Ceremony::read(ceremony.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(String::from_utf8(read.write().unwrap()).unwrap().trim_end(), ceremony);
    let keys = example("json public-keys");
    let read = PublicKeys::read(keys.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(String::from_utf8(read.write().unwrap()).unwrap().trim_end(), keys);

    let opening = example("json opening");
    let read = OpeningFile::read(opening.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(String::from_utf8(read.write().unwrap()).unwrap().trim_end(), opening);
    let links = example("json links");
    let mut written = Links::default();
    let ledger = example("jsonl");
    for line in ledger.lines().skip(1) {
        let line: Value = serde_json::from_str(line).unwrap();
        written.push(line["hash"].as_str().unwrap().parse().unwrap());
    }
    assert_eq!(String::from_utf8(written.growing().unwrap().to_vec()).unwrap(), links);

    let continuation = example("json continuation");
    let read = Continuation::read(continuation.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(String::from_utf8(read.write()).unwrap(), continuation);

    assert_eq!(live::announcement(1_556_928_000), format!("{}\n", example("text live")));
}

#[test]
fn what_host_and_clients_see_has_the_documented_form() {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 2, &|_| ()).unwrap();
    let mut stage = Stage::new(Some(material.healthy_at)).unwrap();
    stage.start_server().unwrap();
    let hook = stage.path("hook");
    fs::write(&hook, "#!/bin/sh\ncat > \"${0}.event\"\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).unwrap();
    let hook = hook.display().to_string();
    stage.init_agent("a", &material.anchor, &material.addons, &["--hook", &hook]).unwrap();
    stage.agent("a", &["once"]).unwrap().expect_code(0).unwrap();

    let addons: Value = serde_json::from_str(&example("json addons.json")).unwrap();
    same_form(&addons, &stage.addons("a").unwrap(), "addons.json");
    let event: Value = serde_json::from_str(&example("json hook")).unwrap();
    let told: Value = serde_json::from_slice(&fs::read(stage.path("hook.event")).unwrap()).unwrap();
    same_form(&event, &told, "hook");
    assert_eq!(event["event"], told["event"]);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for name in ["timestamp", "root", "absent", "live"] {
        let exchange = example(&format!("http {name}"));
        let mut lines = exchange.lines();
        let address = lines.next().unwrap().strip_prefix("GET ").unwrap();
        let url = format!("{}{address}", stage.origin().trim_end_matches('/'));
        let answer = runtime.block_on(async { reqwest::get(&url).await.unwrap() });
        assert_eq!(answer.status().as_str(), lines.next().unwrap(), "{address}");
        for line in lines {
            let (header, expected) = line.split_once(": ").unwrap();
            let value = answer.headers().get(header).map_or("", |value| value.to_str().unwrap());
            let (before, after) = expected.split_once('…').unwrap_or((expected, ""));
            let fits = value.starts_with(before) && value.ends_with(after);
            assert!(fits && (expected.contains('…') || value == expected), "{address}: {line}: {value}");
        }
    }
}

#[test]
fn what_a_later_version_wrote_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 2, &|_| ()).unwrap();
    let mut stage = Stage::new(Some(material.healthy_at)).unwrap();
    stage.start_server().unwrap();
    stage.init_agent("a", &material.anchor, &material.addons, &[]).unwrap();
    stage.agent("a", &["once"]).unwrap().expect_code(0).unwrap();
    stage.stop_server().unwrap();
    let run = ["run", "--state", "server", "--listen", "127.0.0.1:0", "--operators-listen", "127.0.0.1:0"];
    let list = ["token", "list", "--state", "server"];
    let files: [(&str, &[&str]); 5] = [
        ("agents/a/state.json", &[]),
        ("agents/a/agent.toml", &[]),
        ("agents/a/trust/current.json", &[]),
        ("server/edition.json", &run),
        ("server/tokens.json", &list),
    ];
    for (file, server) in files {
        let path = stage.path(file);
        let written = fs::read_to_string(&path).unwrap();
        let later = [("\"format\":", "1"), ("\"format\": ", "1"), ("\"format\": ", "2"), ("format = ", "1")]
            .into_iter()
            .map(|(member, number)| (format!("{member}{number}"), format!("{member}99")))
            .find(|(number, _)| written.contains(number))
            .map(|(number, later)| written.replacen(&number, &later, 1));
        let later = later.unwrap_or_else(|| panic!("{file} has no format number: {written}"));
        fs::write(&path, &later).unwrap();
        let said = match server {
            [] => stage.agent("a", &["once"]).unwrap(),
            words => stage.server_command(words).unwrap(),
        };
        assert!(matches!(said.code, Some(2 | 3)), "{file}: {said:?}");
        assert!(said.stderr.contains("99") && said.stderr.contains("newer"), "{file}: {}", said.stderr);
        assert_eq!(fs::read_to_string(&path).unwrap(), later, "{file} was touched");
        fs::write(&path, &written).unwrap();
    }
    stage.agent("a", &["status"]).unwrap().expect_code(0).unwrap();
}

/// The example with this label.
fn example(label: &str) -> String {
    let text = fs::read_to_string(workspace().join("shared/docs/formats.md")).unwrap();
    let opening = format!("```{label}");
    let mut lines = text.lines().skip_while(|line| *line != opening);
    lines.next().unwrap_or_else(|| panic!("no example {label:?}"));
    lines.take_while(|line| *line != "```").collect::<Vec<_>>().join("\n")
}

/// The same members of the same types, all the way down; of lists the first members are compared.
fn same_form(example: &Value, real: &Value, place: &str) {
    match (example, real) {
        (Value::Object(a), Value::Object(b)) => {
            assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>(), "{place}");
            a.iter().for_each(|(key, value)| same_form(value, &b[key], &format!("{place}.{key}")));
        }
        (Value::Array(a), Value::Array(b)) => same_form(&a[0], &b[0], &format!("{place}[0]")),
        _ => assert_eq!(std::mem::discriminant(example), std::mem::discriminant(real), "{place}: {real}"),
    }
}
