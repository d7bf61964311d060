//! Proxies as the environment names them: which one leads to a host, and what its answers mean.
//!
//! One decision for what is done and for what is said of it. The variables are those that curl and most programs obey:
//! `HTTPS_PROXY` or `HTTP_PROXY` by the scheme of what is asked for, `ALL_PROXY` where that is not set, each in capital or in small letters, and
//! the exceptions in `NO_PROXY`.

use std::net::IpAddr;

/// A proxy that the environment names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The variable that names it.
    pub variable: &'static str,
    /// Its address, perhaps with a name and a password in it.
    pub url: String,
}

/// A variable that does not name a proxy which can be used. Its value is not shown: there may be a password in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} names no usable proxy: {why}; write it as http://HOST:PORT, or unset it")]
pub struct UnusableProxy {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with its value.
    pub why: NotAProxy,
}

/// Why a text is no address of a proxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAProxy {
    /// Its scheme is none of those that can be used; `None` where it is not shown, since it may hold a password.
    #[error("{}, only http:// and https:// can", cannot_be_used(.0.as_deref()))]
    Scheme(Option<String>),
    /// Its port is no number.
    #[error("its port is not a number from 0 to 65535")]
    Port,
    /// There is no host in it.
    #[error("it has no host")]
    NoHost,
}

fn cannot_be_used(scheme: Option<&str>) -> String {
    scheme.map_or_else(
        || "its scheme cannot be used".to_owned(),
        |scheme| format!("{scheme}:// cannot be used"),
    )
}

impl Proxy {
    /// The proxy that leads to `host` for a URL of this scheme, by the variables that `env` gives; `None`: there is none, or it is excepted.
    ///
    /// # Errors
    /// The variable that would name it does not.
    pub fn of_environment(
        scheme: &str,
        host: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, UnusableProxy> {
        // A web server sets HTTP_PROXY for its scripts from a header that anyone can send (httpoxy).
        if env("REQUEST_METHOD").is_some() {
            return Ok(None);
        }
        let first = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| Some((name, env(name)?.trim().to_owned())))
        };
        let named = |names| first(names).filter(|(_, value)| !value.is_empty());
        let own =
            if scheme == "https" { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
        let Some((variable, url)) = named(own).or_else(|| named(["ALL_PROXY", "all_proxy"])) else {
            return Ok(None);
        };
        let exceptions = first(["NO_PROXY", "no_proxy"]).map(|(_, value)| value).unwrap_or_default();
        if exceptions.split([',', ' ']).any(|exception| excepts(exception.trim(), host)) {
            return Ok(None);
        }
        check(&url).map_err(|why| UnusableProxy { variable, why })?;
        let url = if url.contains("://") { url } else { format!("http://{url}") };
        Ok(Some(Self { variable, url }))
    }

    /// What an answer over plain HTTP says where it is the proxy's own and not the origin's. Others are told by nothing: a 502 may be either's.
    #[must_use]
    pub fn own_answer(&self, status: u16, has_header: &dyn Fn(&str) -> bool) -> Option<String> {
        // RFC 9110 section 15.5.8, RFC 9209 section 2, and what Squid has sent for twenty years.
        let marked = ["proxy-authenticate", "proxy-status", "x-squid-error"].into_iter().any(has_header);
        match status {
            407 => Some(self.wants_a_password()),
            400.. if marked => Some(format!("{self} answered {status} itself")),
            _ => None,
        }
    }

    /// What `status` without a mark of either may mean.
    #[must_use]
    pub fn either_answered(&self, status: &str) -> String {
        format!("the origin, or {self}, answered {status}")
    }

    /// What a failed exchange means. `error` is that of the HTTP client with all its causes; `connecting` says that no connection came about.
    #[must_use]
    pub fn explain(&self, scheme: &str, connecting: bool, error: &str) -> String {
        // hyper-util's words for what came of CONNECT; it does not say with which status it was refused.
        let tunnel = error.split_once("tunnel error: ").map(|(_, why)| why);
        match tunnel {
            Some(why) if why.starts_with("proxy authorization required") => self.wants_a_password(),
            Some(why) if why.starts_with("failed to create underlying connection") => {
                format!("{self} cannot be reached: {error}")
            }
            Some("unsuccessful") => format!("{self} refused to connect to the origin"),
            Some(why) => format!("{self} did not connect to the origin: {why}"),
            None if connecting && scheme == "http" => format!("{self} cannot be reached: {error}"),
            None => format!("{error} (asked by way of {self})"),
        }
    }

    fn wants_a_password(&self) -> String {
        format!("{self} wants a name and a password (407); write it as http://NAME:PASSWORD@HOST:PORT")
    }
}

impl std::fmt::Display for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the proxy that {} names", self.variable)
    }
}

/// Whether an entry of `NO_PROXY` means this host: `*` is every one, a network holds addresses, a name itself and what is below it.
fn excepts(exception: &str, host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if exception == "*" {
        return true;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        let (network, bits) = match exception.split_once('/') {
            Some((network, bits)) => (network, bits.parse().ok()),
            None => (exception, Some(128)),
        };
        return matches!((network.parse(), bits), (Ok(network), Some(bits)) if holds(network, bits, address));
    }
    let name = exception.trim_start_matches('*').trim_start_matches('.').trim_end_matches('.');
    let below = |host: &str| {
        let (start, end) = host.split_at_checked(host.len().checked_sub(name.len())?)?;
        (end.eq_ignore_ascii_case(name) && (start.is_empty() || start.ends_with('.'))).then_some(())
    };
    !name.is_empty() && below(host.trim_end_matches('.')).is_some()
}

/// Whether the first `bits` of both addresses are the same.
fn holds(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (network.to_bits() ^ address.to_bits()).checked_shr(32_u32.saturating_sub(bits)).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            (network.to_bits() ^ address.to_bits()).checked_shr(128_u32.saturating_sub(bits)).unwrap_or(0)
                == 0
        }
        _ => false,
    }
}

fn check(url: &str) -> Result<(), NotAProxy> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
        // An address without a scheme may hold a password: only what can be nothing else is shown.
        let shown = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) && scheme.len() <= 16;
        return Err(NotAProxy::Scheme(shown.then(|| scheme.to_owned())));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(NotAProxy::Port);
    }
    let is_address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).map(str::parse::<IpAddr>);
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    match is_address {
        Some(Ok(_)) => Ok(()),
        None if !name.is_empty() && is_name => Ok(()),
        _ => Err(NotAProxy::NoHost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn route(scheme: &str, host: &str, variables: &[(&str, &str)]) -> Result<Option<Proxy>, UnusableProxy> {
        let env = |name: &str| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        };
        Proxy::of_environment(scheme, host, &env)
    }

    #[test]
    fn the_variable_of_the_scheme_comes_first_and_an_empty_one_names_nobody() {
        let all = [("HTTP_PROXY", "http://a:1"), ("https_proxy", "b"), ("ALL_PROXY", "https://u:p@[::1]:3/")];
        let by = |scheme, variables: &[_]| {
            route(scheme, "x.example", variables).unwrap().map(|proxy| proxy.variable)
        };
        assert_eq!(by("http", &all), Some("HTTP_PROXY"));
        assert_eq!(by("https", &all), Some("https_proxy"));
        assert_eq!(by("https", &all[2..]), Some("ALL_PROXY"));
        assert_eq!(route("https", "x.example", &all).unwrap().unwrap().url, "http://b");
        assert_eq!(by("http", &[("HTTP_PROXY", ""), ("http_proxy", "http://b:1")]), None);
        assert_eq!(by("http", &[("HTTP_PROXY", " "), ("all_proxy", "http://b:1")]), Some("all_proxy"));
        assert_eq!(by("http", &[("HTTP_PROXY", "http://a:1"), ("REQUEST_METHOD", "GET")]), None);
    }

    #[test]
    fn exceptions_are_hosts_with_what_is_below_them_networks_and_everything() {
        for (exceptions, host, excepted) in [
            ("*", "127.0.0.1", true),
            ("*", "[::1]", true),
            ("*", "fixes.example", true),
            ("a.example, *", "10.0.0.1", true),
            ("fixes.example", "FIXES.example", true),
            ("fixes.example", "a.fixes.example", true),
            (".fixes.example", "fixes.example", true),
            ("*.fixes.example", "a.fixes.example", true),
            ("fixes.example", "prefixes.example", false),
            ("fixes.example.", "fixes.example", true),
            ("127.0.0.1,example.org", "127.0.0.1", true),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "11.0.0.1", true),
            ("10.0.0.0/33", "10.0.0.0", true),
            ("10.0.0.0/x", "10.0.0.0", false),
            ("fd00::/8", "[fd12::1]", true),
            ("fd00::/8", "[fe80::1]", false),
            ("::1", "[::1]", true),
            ("::/0", "127.0.0.1", false),
            ("", "x.example", false),
            (",.,", "x.example", false),
            ("0.1", "127.0.0.1", false),
        ] {
            let routed =
                route("http", host, &[("HTTP_PROXY", "http://p:1"), ("NO_PROXY", exceptions)]).unwrap();
            assert_eq!(routed.is_none(), excepted, "{exceptions:?} {host}");
        }
    }

    #[test]
    fn a_variable_that_names_no_proxy_is_refused_by_name_and_without_its_value() {
        for (value, why) in [
            ("socks5://u:secret@h:1080", "socks5:// cannot be used"),
            ("htp://u:secret@h", "htp:// cannot"),
            ("http://u:secret@", "no host"),
            ("http://u:secret@h:port", "port"),
            ("u:secret@h:99999", "port"),
            ("http://", "no host"),
            ("http://a b", "no host"),
            ("http://[::x]:1", "no host"),
            ("u:secret@x://y", "its scheme"),
        ] {
            let error = route("https", "x.example", &[("https_proxy", value)]).unwrap_err();
            assert_eq!(error.variable, "https_proxy");
            assert!(error.why.to_string().contains(why), "{value}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        // It is nobody's concern where no proxy would be asked.
        let bad = ("https_proxy", "socks5://h");
        assert_eq!(route("http", "x.example", &[bad]), Ok(None));
        assert_eq!(route("https", "10.0.0.1", &[bad, ("NO_PROXY", "*")]), Ok(None));
    }

    #[test]
    fn what_a_proxy_answers_is_told_as_the_proxys() {
        let proxy = Proxy { variable: "HTTP_PROXY", url: "http://p:1".into() };
        let answer = |status, header: &str| proxy.own_answer(status, &|name| name == header);
        assert!(
            answer(407, "").is_some_and(|said| said.contains("HTTP_PROXY names wants a name and a password"))
        );
        assert!(answer(403, "x-squid-error").is_some_and(|said| said.contains("answered 403 itself")));
        assert!(answer(502, "proxy-status").is_some());
        assert_eq!((answer(502, "server"), answer(200, "proxy-status")), (None, None));
        for (scheme, connecting, error, said) in [
            ("https", true, "error sending request: tunnel error: proxy authorization required", "(407)"),
            (
                "https",
                true,
                "x: tunnel error: unsuccessful",
                "HTTP_PROXY names refused to connect to the origin",
            ),
            (
                "https",
                true,
                "x: tunnel error: unexpected end of file",
                "did not connect to the origin: unexpected",
            ),
            (
                "https",
                true,
                "tunnel error: failed to create underlying connection: refused",
                "cannot be reached",
            ),
            ("http", true, "tcp connect error: refused", "HTTP_PROXY names cannot be reached"),
            ("http", false, "timed out", "timed out (asked by way of the proxy that HTTP_PROXY names)"),
            ("https", true, "invalid peer certificate", "(asked by way of"),
        ] {
            let told = proxy.explain(scheme, connecting, error);
            assert!(told.contains(said), "{told}");
        }
    }

    proptest! {
        #[test]
        fn no_value_panics_or_shows_itself(value in ".{0,40}", exception in "[0-9a-f.:/*, ]{0,20}", host in "[0-9a-f.:\\[\\]]{0,20}") {
            let _ = route("http", &host, &[("HTTP_PROXY", &value), ("NO_PROXY", &exception)]);
        }
    }
}
