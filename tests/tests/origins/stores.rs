//! Stores and caches before which files that are absent are not "404".

use mulberry_lab::nginx::{self, Nginx};
use mulberry_lab::replay::material::Material;
use mulberry_lab::stage::Stage;

/// What an origin says to a file that it does not have is another status, as nginx can be told to say.
fn saying(stage: &Stage, status: u16) -> Option<Nginx> {
    let program = match nginx::find("nginx", "nginx-light", "a store") {
        Ok(program) => program,
        Err(missing) => {
            eprintln!("SKIPPED: {missing}");
            return None;
        }
    };
    let origin = stage.origin().trim_end_matches('/');
    let server = |_: &std::path::Path, port| {
        format!(
            "server {{
                listen 127.0.0.1:{port};
                location / {{ proxy_pass {origin}; proxy_intercept_errors on; error_page 404 = @absent; }}
                location @absent {{ return {status}; }}
            }}"
        )
    };
    Some(Nginx::start(&program, server).unwrap())
}

/// S3 whose reader may not list the bucket says 403; a broken cache says 500. Everything that refreshes goes on, and says so.
#[test]
fn a_next_root_that_is_forbidden_or_fails_keeps_nobody_from_the_edition() {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 1, &|_| ()).unwrap();
    let mut stage = Stage::new(None).unwrap();
    stage.start_server().unwrap();
    for (status, said, times) in [
        (403, "answers 403 for a file that it need not have", 1),
        (500, "so the root that is held goes on", 1),
    ] {
        let Some(store) = saying(&stage, status) else { return };
        let (origin, name) = (store.origin(), format!("agent-{status}"));
        stage.init_agent(&name, &material.anchor, &material.addons, &["--version", "66.0"]).unwrap();
        let once = stage.agent(&name, &["once", "--origin", &origin, "--json"]).unwrap();
        let once = once.expect_code(0).unwrap();
        let refresh = once.json().unwrap()["refresh"].clone();
        assert_eq!(refresh["outcome"], "current", "{refresh}");
        assert!(refresh["detail"].as_str().unwrap().starts_with("verified; "), "{refresh}");
        let all = format!("{}{}", once.stdout, once.stderr);
        assert_eq!(all.matches(said).count(), times, "{all}");

        let tuf = |command: &str, more: &[&str]| {
            let url = format!("{origin}/metadata/");
            let mut words = vec!["tuf", "--metadata-dir", &name, "--metadata-url", &url, command];
            words.extend(more);
            mulberry_lab::process::run(&stage.binaries().agent(), &words, stage.folder()).unwrap()
        };
        tuf("init", &["authority/root.json"]).expect_code(0).unwrap();
        let refreshed = tuf("refresh", &[]).expect_code(0).unwrap();
        assert!(refreshed.stderr.contains(&status.to_string()), "{}", refreshed.stderr);

        let out = format!("{status}.bundle");
        let bundled =
            stage.ctl(&["bundle", "--out", &out, "--origin", &origin]).unwrap().expect_code(0).unwrap();
        assert_eq!(bundled.stderr.matches(&status.to_string()).count(), 1, "{}", bundled.stderr);
    }
}
