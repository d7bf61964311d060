//! Proxies of the environment, and TLS: whose certificates are taken, and at what date.

use std::process::Stdio;

use mulberry_lab::pki::{
    BasicConstraints, CertificateSpec, ExtendedKeyUse, KeyKind, LabCertificate, common_name, key,
};
use mulberry_lab::process::command;
use mulberry_lab::replay::material::Material;
use mulberry_lab::stage::Stage;

use super::relay::{Proxy, tls, tls_chain};

/// A stage with a server, and an agent that has none of its editions.
fn stage() -> (Stage, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 2, &|_| ()).unwrap();
    let mut stage = Stage::new(None).unwrap();
    stage.start_server().unwrap();
    stage.init_agent("a", &material.anchor, &material.addons, &[]).unwrap();
    (stage, folder)
}

/// One run against `origin` with these arguments and variables: its exit code and all that it said.
fn once(stage: &Stage, origin: &str, more: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut agent = command(&stage.binaries().agent(), stage.folder());
    agent.args(["once", "--state", "agents/a", "--origin", origin]).args(more);
    let output = agent.envs(variables.iter().copied()).stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn address(stage: &Stage) -> String {
    stage.origin().trim_start_matches("http://").trim_end_matches('/').to_owned()
}

#[track_caller]
fn ends((code, said): (Option<i32>, String), expected: i32, told: &str) {
    assert_eq!(code, Some(expected), "{said}");
    assert!(said.contains(told), "{told}: {said}");
}

/// A CA of the laboratory, and an origin's certificate from it that ends at that year's beginning.
fn certificates(until: i16) -> (LabCertificate, LabCertificate) {
    let at = |year: i16| format!("{year}-01-01T00:00:00Z").parse().unwrap();
    let mut root = CertificateSpec::ca(common_name("TLS root").unwrap(), 1, at(2020), at(2049));
    root.basic_constraints = BasicConstraints::CaCritical;
    root.extended_key_use = ExtendedKeyUse::Absent;
    let root = root.self_signed(&key(KeyKind::P256, "tls root").unwrap()).unwrap();
    let name = common_name("origin").unwrap();
    let mut origin = CertificateSpec::end_entity(name, until.unsigned_abs().into(), at(2020), at(until));
    origin.dns_names = vec!["localhost".into(), "fixes.example".into()];
    let origin = origin.issued_by(&root, &key(KeyKind::P256, "tls origin").unwrap()).unwrap();
    (root, origin)
}

#[test]
fn proxies_of_the_environment_are_used_and_their_exceptions_kept() {
    let (stage, _folder) = stage();
    let (proxy, dead) = (Proxy::to(&address(&stage)), "http://127.0.0.1:9");
    // Nobody knows this name but the proxy.
    let origin = "http://fixes.example/";
    ends(once(&stage, origin, &[], &[("http_proxy", &proxy.url)]), 0, "something new came");
    let seen = proxy.take();
    assert!(
        seen.iter().any(|line| line == "GET http://fixes.example/metadata/timestamp.json HTTP/1.1"),
        "{seen:?}"
    );

    ends(
        once(&stage, stage.origin(), &[], &[("HTTP_PROXY", dead)]),
        4,
        "the proxy that HTTP_PROXY names cannot be reached",
    );
    for exceptions in ["127.0.0.1,example.org", "127.0.0.0/8", "*", "example.org, *"] {
        let spared = [("HTTP_PROXY", dead), ("NO_PROXY", exceptions)];
        ends(once(&stage, stage.origin(), &[], &spared), 0, "verified");
    }

    let (root, certificate) = certificates(2049);
    std::fs::write(stage.path("root.pem"), root.pem()).unwrap();
    let proxy = Proxy::to(&tls(&certificate, &address(&stage)));
    let secure = "https://fixes.example/";
    let run = |root: &str| once(&stage, secure, &["--extra-root", root], &[("HTTPS_PROXY", &proxy.url)]);
    ends(run("root.pem"), 0, "verified");
    let seen = proxy.take();
    assert!(
        !seen.is_empty() && seen.iter().all(|line| line == "CONNECT fixes.example:443 HTTP/1.1"),
        "{seen:?}"
    );
}

#[test]
fn a_foreign_root_is_refused_until_it_is_named_and_dates_alone_do_not_keep_the_fix_away() {
    let (stage, _folder) = stage();
    let (root, valid) = certificates(2049);
    let (_, expired) = certificates(2021);
    std::fs::write(stage.path("root.pem"), root.pem()).unwrap();
    let origin = |certificate: &LabCertificate| {
        format!("https://{}/", tls(certificate, &address(&stage)).replace("127.0.0.1", "localhost"))
    };
    let (valid, expired) = (origin(&valid), origin(&expired));
    let named = ["--extra-root", "root.pem"];
    ends(once(&stage, &valid, &[], &[]), 4, "UnknownIssuer");
    ends(once(&stage, &expired, &[], &[]), 4, "UnknownIssuer");
    ends(once(&stage, &valid, &named, &[]), 0, "something new came");
    // The system's store, as OpenSSL's programs find it.
    let store = stage.path("root.pem");
    ends(once(&stage, &valid, &[], &[("SSL_CERT_FILE", store.to_str().unwrap())]), 0, "verified");

    ends(once(&stage, &expired, &named, &[]), 0, "dates of a TLS certificate do not hold");
    let strict = [&named[..], &["--tls", "verify"]].concat();
    ends(once(&stage, &expired, &strict, &[]), 4, "expired");
    ends(once(&stage, &valid, &strict, &[]), 0, "verified");
    // Dates are all that is forgiven.
    let other = expired.replace("localhost", "127.0.0.1");
    ends(once(&stage, &other, &named, &[]), 4, "not valid for name");

    // A root that has gone keeps nobody from the other origins.
    let with = ["--extra-root", "gone.pem", "--origin", stage.origin()];
    ends(once(&stage, &valid, &with, &[]), 0, "gone.pem");
}

#[test]
fn what_a_proxy_answers_itself_is_not_told_as_the_origins() {
    let (stage, _folder) = stage();
    let answer = |status: &str, header: &str| {
        Proxy::answering(&format!(
            "HTTP/1.1 {status}\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n"
        ))
    };
    let (plain, secure) = ("http://fixes.example/", "https://fixes.example/");
    for (origin, variable, status, header, told) in [
        (
            plain,
            "HTTP_PROXY",
            "407 Who",
            "Proxy-Authenticate: Basic\r\n",
            "the proxy that HTTP_PROXY names wants a name",
        ),
        (
            secure,
            "HTTPS_PROXY",
            "407 Who",
            "Proxy-Authenticate: Basic\r\n",
            "the proxy that HTTPS_PROXY names wants a name",
        ),
        (
            plain,
            "http_proxy",
            "403 No",
            "X-Squid-Error: ERR_ACCESS_DENIED 0\r\n",
            "the proxy that http_proxy names answered 403",
        ),
        (plain, "ALL_PROXY", "502 Bad", "", "the origin, or the proxy that ALL_PROXY names, answered 502"),
        (secure, "HTTPS_PROXY", "403 No", "", "the proxy that HTTPS_PROXY names refused to connect"),
        (secure, "ALL_PROXY", "502 Bad", "", "the proxy that ALL_PROXY names refused to connect"),
    ] {
        let proxy = answer(status, header);
        let (code, said) = once(&stage, origin, &[], &[(variable, &proxy.url)]);
        assert!(!proxy.take().is_empty(), "{said}");
        ends((code, said.clone()), 4, told);
        assert!(!said.contains("the origin answered"), "{said}");
    }
    // A 404 through a proxy is the origin's: a root that is not there yet.
    let proxy = answer("404 Not Found", "");
    let (_, said) = once(&stage, plain, &[], &[("HTTP_PROXY", &proxy.url)]);
    assert!(!said.contains("HTTP_PROXY"), "{said}");
}

/// The tool of the release engineers goes by the same proxies, but never to this machine.
#[test]
fn the_tool_goes_by_proxies_as_agents_do() {
    let (stage, _folder) = stage();
    let expiries = |origin: &str, variables: &[(&str, &str)]| {
        let mut ctl = command(&stage.binaries().ctl(), stage.folder());
        ctl.args(["expiries", "--root", "authority/root.json", "--origin", origin]);
        let output = ctl.envs(variables.iter().copied()).stdin(Stdio::null()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let origin = "http://fixes.example/";
    let proxy = Proxy::to(&address(&stage));
    ends(expiries(origin, &[("HTTP_PROXY", &proxy.url)]), 0, "timestamp");
    assert!(proxy.take().iter().any(|line| line.starts_with("GET http://fixes.example/")));
    let asks = Proxy::answering("HTTP/1.1 407 Who\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    ends(expiries(origin, &[("HTTP_PROXY", &asks.url)]), 4, "HTTP_PROXY names wants a name and a password");
    ends(expiries(origin, &[("HTTP_PROXY", "ftp://h")]), 2, "HTTP_PROXY names no usable proxy: ftp://");
    ends(expiries(stage.origin(), &[("HTTP_PROXY", "ftp://h")]), 0, "timestamp");
}

#[test]
fn a_variable_that_names_no_proxy_is_refused_by_name_and_keeps_nobody_from_other_origins() {
    let (stage, folder) = stage();
    let bad = [("https_proxy", "socks5://u:secret@127.0.0.1:9")];
    let secure = "https://fixes.example/";
    let (code, said) = once(&stage, secure, &[], &bad);
    assert!(!said.contains("secret"), "{said}");
    ends((code, said), 4, "https_proxy names no usable proxy: socks5://");
    ends(once(&stage, secure, &["--origin", stage.origin()], &bad), 0, "something new came");
    ends(once(&stage, secure, &[], &[bad[0], ("NO_PROXY", "*")]), 4, "fixes.example");

    let mut init = command(&stage.binaries().agent(), stage.folder());
    init.args([
        "init",
        "--trust",
        "authority/root.json",
        "--origin",
        secure,
        "--addons",
        ".",
        "--state",
        "b",
    ]);
    let anchor = folder.path().join("certificates/anchor.pem");
    let refused = init.arg("--anchor").arg(anchor).envs(bad).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ends((refused.status.code(), said), 2, "https_proxy names no usable proxy");
    assert!(!stage.path("b").exists());
}

/// No instant lies within the dates of both certificates.
#[test]
fn a_chain_that_holds_but_for_dates_is_taken_whatever_instant_each_certificate_needs() {
    let (stage, _folder) = stage();
    let at = |year: i16| format!("{year}-01-01T00:00:00Z").parse().unwrap();
    let ca = |name: &str, serial, from, until| {
        let mut spec = CertificateSpec::ca(common_name(name).unwrap(), serial, at(from), at(until));
        spec.basic_constraints = BasicConstraints::CaCritical;
        spec.extended_key_use = ExtendedKeyUse::Absent;
        spec
    };
    let root = ca("TLS root", 1, 2001, 2003).self_signed(&key(KeyKind::P256, "tls root").unwrap()).unwrap();
    let middle_key = key(KeyKind::P256, "tls middle").unwrap();
    let middle = |from, until| ca("TLS middle", 2, from, until).issued_by(&root, &middle_key).unwrap();
    std::fs::write(stage.path("root.pem"), root.pem()).unwrap();
    let named = ["--extra-root", "root.pem"];
    let (old, new, later) = (middle(2004, 2006), middle(2010, 2012), middle(2048, 2049));
    let leaf = |from, until| {
        let mut spec = CertificateSpec::end_entity(common_name("origin").unwrap(), 3, at(from), at(until));
        spec.dns_names = vec!["localhost".into()];
        spec.issued_by(&old, &key(KeyKind::P256, "tls origin").unwrap()).unwrap()
    };
    for (leaf, middle) in [
        (leaf(2007, 2008), &old),
        (leaf(2007, 2008), &new),
        (leaf(2013, 2014), &later),
        (leaf(2020, 2049), &old),
    ] {
        let secure = format!(
            "https://{}/",
            tls_chain(&[&leaf, middle], &address(&stage)).replace("127.0.0.1", "localhost")
        );
        ends(once(&stage, &secure, &named, &[]), 0, "dates of a TLS certificate do not hold");
        ends(once(&stage, &secure, &[&named[..], &["--tls", "verify"]].concat(), &[]), 4, "ertificate");
        // Dates are all that is forgiven: not the name, not the root, not the signature.
        ends(once(&stage, &secure.replace("localhost", "127.0.0.1"), &named, &[]), 4, "not valid for name");
        ends(once(&stage, &secure, &[], &[]), 4, "UnknownIssuer");
    }
    let stranger =
        ca("TLS middle", 2, 2010, 2012).self_signed(&key(KeyKind::P256, "stranger").unwrap()).unwrap();
    let leaf = leaf(2007, 2008);
    let secure = format!(
        "https://{}/",
        tls_chain(&[&leaf, &stranger], &address(&stage)).replace("127.0.0.1", "localhost")
    );
    let (code, said) = once(&stage, &secure, &named, &[]);
    assert_eq!(code, Some(4), "{said}");
}
