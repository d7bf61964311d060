//! What all three binaries do in the same way.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use mulberry_lab::binaries::Binaries;
use mulberry_lab::process::run;

#[test]
fn completions_name_every_subcommand_in_every_shell() {
    let binaries = Binaries::build().unwrap();
    let here = tempfile::tempdir().unwrap();
    let programs: [(_, &[&str]); 3] = [
        (binaries.ctl(), &["recipe", "preflight", "publish", "gate", "status", "config"]),
        (binaries.server(), &["init", "token", "run"]),
        (binaries.agent(), &["init", "once", "run", "status", "why", "verify"]),
    ];
    for (program, subcommands) in programs {
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let said = run(&program, &["completions", shell], here.path()).unwrap().expect_code(0).unwrap();
            for subcommand in subcommands {
                assert!(said.stdout.contains(subcommand), "{}: {subcommand}", said.command);
            }
        }
        run(&program, &["completions", "tcsh"], here.path()).unwrap().expect_code(2).unwrap();
    }
}
