//! What the log says of changes.

use super::*;

/// A log that a test reads.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_says_who_changed_which_revision_in_which_edition() {
    use crate::tokens::{self, LiveTokens};
    use mulberry_shared::operators::Scope;
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    // While there is but one subscriber, a line that another test's thread reaches first would be off for ever.
    let _other = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    let guard = tracing::subscriber::set_default(lines);
    let core = Parts::initialised(MemoryStore::new()).await.open().await.unwrap();
    publish(&core, &[("emergency/a.json", 3)], &[]).await.unwrap();
    core.set_gate(actor("tom"), path("emergency/a.json"), gate(3, GateState::Open, Some(250))).await.unwrap();
    let withdrawn = publish(&core, &[], &["a"]).await.unwrap().edition;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.json");
    let first = crate::test_support::add_token(&file, "mei", &[Scope::Gate], start()).unwrap();
    let live = LiveTokens::at(file.clone());
    live.find(&first).unwrap();
    let second =
        crate::test_support::add_token(&file, "tom", &[Scope::Publish, Scope::Gate], start()).unwrap();
    live.find(&second).unwrap();
    tokens::revoke(&file, "mei", start()).unwrap();
    live.find(&second).unwrap();
    drop(guard);

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains(&first) && !text.contains(&second));
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |message: &str| {
        let line = lines.iter().find(|line| line["fields"]["message"] == message);
        line.unwrap_or_else(|| panic!("{message} is not in\n{text}"))["fields"].clone()
    };
    for (message, actor, sequence) in
        [("published", "mei", 2), ("gate set", "tom", 3), ("withdrawn", "mei", 4)]
    {
        let line = said(message);
        assert_eq!((&line["actor"], &line["path"]), (&actor.into(), &"emergency/a.json".into()), "{line}");
        assert_eq!((&line["revision"], &line["sequence"]), (&3.into(), &sequence.into()), "{line}");
        assert!(line["edition"].as_u64().unwrap() <= withdrawn, "{line}");
    }
    assert_eq!(said("withdrawn")["edition"], withdrawn);
    assert_eq!(said("gate set")["basis_points"], 250);
    assert_eq!(
        (&said("token added")["name"], &said("token added")["may"]),
        (&"tom".into(), &"publish,gate".into())
    );
    assert_eq!(said("token revoked")["name"], "mei");
}
