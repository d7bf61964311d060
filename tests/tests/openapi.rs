//! Both listeners do what their OpenAPI documents say, and refuse the rest: tried by schemathesis.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use mulberry_lab::python_tuf::Python;
use mulberry_lab::real::announce;
use mulberry_lab::stage::Stage;

/// What is to be tried, and what counts as taken: 422 is the refusal of what the document cannot forbid, such as signatures that do
/// not hold. The folder's own parameters stand in for those of a recipe and a proposal that exist.
const SETTINGS: &str = r#"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 304, 404, 409, 422]
"#;

/// JSON Schema takes 2.0 for an integer. The strict reader of signed documents takes only 2, and the document says so in words.
const WHOLE_NUMBERS: &str = r#"
import schemathesis

def whole(value):
    if isinstance(value, dict):
        return {key: whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value

@schemathesis.hook
def map_body(context, body):
    return whole(body)
"#;

/// Test cases of one operation in one phase.
const EXAMPLES: &str = "20";

#[test]
fn both_listeners_do_what_their_documents_say() {
    let python = match Python::with_schemathesis() {
        Ok(python) => python,
        Err(missing) => return announce(&format!("SKIPPED: schemathesis on both listeners: {missing}")),
    };
    let mut stage = Stage::new(None).unwrap();
    stage.start_server().unwrap();
    let recipe = stage.write_recipe("hold").unwrap();
    stage.publish("emergency", &recipe).unwrap();
    let waiting = stage.write_recipe("waiting").unwrap();
    let key = "authority/people/person-1/emergency.pem";
    let proposed = stage.ctl(&["propose", &waiting, "--key", key, "--yes", "--json"]).unwrap();
    let proposed = proposed.expect_code(0).unwrap().json().unwrap();
    let id = proposed["id"].as_str().unwrap();

    fs::write(stage.path("whole_numbers.py"), WHOLE_NUMBERS).unwrap();
    fs::write(stage.path("any.toml"), SETTINGS).unwrap();
    let there = [("lane", "emergency"), ("slug", "hold"), ("id", id), ("file", "timestamp.json")];
    let there: String =
        there.iter().map(|(name, value)| format!("\"path.{name}\" = \"{value}\"\n")).collect();
    fs::write(stage.path("there.toml"), format!("{SETTINGS}\n[parameters]\n{there}")).unwrap();

    let token = fs::read_to_string(stage.path("token")).unwrap();
    let authorization = format!("Authorization: Bearer {}", token.trim());
    let (operators, public) = (stage.operators().to_owned(), stage.origin().to_owned());
    let operators = (operators.as_str(), ["--header", &authorization]);
    // The stream has no end that could be waited for.
    let public = (public.as_str(), ["--exclude-path", "/api/v1/live"]);
    for (settings, (url, more)) in
        [("any.toml", operators), ("there.toml", operators), ("any.toml", public), ("there.toml", public)]
    {
        let document = format!("{}/api/v1/openapi.json", url.trim_end_matches('/'));
        let mut run = python.command(stage.folder());
        run.args(["-m", "schemathesis.cli", "--config-file", settings, "run", &document, "--url", url]);
        run.args(["--seed", "20190504", "--max-examples", EXAMPLES, "--continue-on-failure", "--no-color"]);
        run.args([
            "--phases",
            "coverage,fuzzing",
            "--generation-database",
            "none",
            "--request-timeout",
            "10",
        ]);
        run.args(more).env("SCHEMATHESIS_HOOKS", "whole_numbers");
        let output = run.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{settings} {url}:\n{said}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(said.contains("generated"), "it tried something:\n{said}");
    }
}
