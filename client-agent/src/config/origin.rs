//! What an origin's address may look like.

use reqwest::Url;

/// The text is no usable origin.
#[derive(Debug, thiserror::Error)]
#[error("origin {origin:?}: {problem}; give it like https://fixes.example/ or http://127.0.0.1:8080/")]
pub struct BadOrigin {
    pub(crate) origin: String,
    pub(crate) problem: String,
}

/// Checks an origin's address: http or https, a host, no credentials, query or fragment; ends with a slash.
///
/// # Errors
/// Anything else, with what is wrong.
pub fn parse_origin(text: &str) -> Result<Url, BadOrigin> {
    let bad = |problem: &str| BadOrigin { origin: text.to_owned(), problem: problem.to_owned() };
    let mut url: Url = text.parse().map_err(|error| bad(&format!("not an address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("only http and https are understood"));
    }
    if url.host_str().is_none() {
        return Err(bad("no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it must not carry credentials"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it must not carry a query or fragment"));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_plain_addresses() {
        assert_eq!(parse_origin("https://fixes.example/a").unwrap().as_str(), "https://fixes.example/a/");
        for bad in ["fixes.example", "ftp://x/", "http://u:p@x/", "http://x/?q", "http://x/#f", ""] {
            assert!(parse_origin(bad).is_err(), "{bad}");
        }
    }
}
