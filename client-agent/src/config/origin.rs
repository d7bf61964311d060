//! What an origin's address may look like.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;

/// A place that serves editions, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A server or a web mirror: http or https, a host, no credentials, query or fragment; ends with a slash.
    Http(Url),
    /// A static mirror in a folder of this machine: a `file:` address that ends with a slash.
    Folder(Url),
}

impl Origin {
    /// The address.
    #[must_use]
    pub fn url(&self) -> &Url {
        match self {
            Self::Http(url) | Self::Folder(url) => url,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url().fmt(f)
    }
}

/// The text is no usable origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "origin {origin:?}: {problem}; give it like https://fixes.example/ or http://127.0.0.1:8080/, or a folder like \
     /srv/mirror, ./mirror or file:///srv/mirror"
)]
pub struct BadOrigin {
    pub(crate) origin: String,
    pub(crate) problem: String,
}

/// Checks an origin's address. Relative paths must have been resolved by `Layer::relative_to`.
///
/// # Errors
/// It is neither an http or https address as [`Origin::Http`] wants it, nor a folder; with what is wrong.
pub fn parse_origin(text: &str) -> Result<Origin, BadOrigin> {
    let bad = |problem: &str| BadOrigin { origin: text.to_owned(), problem: problem.to_owned() };
    let mut url: Url = match Path::new(text).is_absolute() {
        true => Url::from_directory_path(text).map_err(|()| bad("not a path"))?,
        false => text.parse().map_err(|error| bad(&format!("not an address: {error}")))?,
    };
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it must not carry a query or fragment"));
    }
    match url.scheme() {
        "file" if url.to_file_path().is_ok() => Ok(Origin::Folder(url)),
        "file" => Err(bad("a folder of another machine cannot be read")),
        "http" | "https" if url.host_str().is_none() => Err(bad("no host")),
        "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
            Err(bad("it must not carry credentials"))
        }
        "http" | "https" => Ok(Origin::Http(url)),
        _ => Err(bad("only http, https and file are understood")),
    }
}

/// Resolves a relative path (one that begins with `.`) against `folder`; anything else stays as it is.
///
/// A bare word is no path: `fixes.example` would be a folder that is never there instead of a typing error.
#[must_use]
pub(super) fn resolve(text: &str, folder: &Path) -> String {
    let dotted = matches!(text, "." | "..") || text.starts_with("./") || text.starts_with("../");
    let absolute: Option<PathBuf> = dotted.then(|| folder.join(text));
    let url = absolute.and_then(|path| Url::from_directory_path(path).ok());
    url.map_or_else(|| text.to_owned(), String::from)
}

/// The origins in one value: a variable holds several addresses with blanks between them. A path may have blanks itself.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    let address = |word: &str| ["http:", "https:", "file:"].iter().any(|scheme| word.starts_with(scheme));
    let several = !text.trim().is_empty() && text.split_whitespace().all(address);
    let words = several.then(|| text.split_whitespace()).into_iter().flatten();
    words.chain((!several).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_plain_addresses_or_folders() {
        let parsed = |text: &str| parse_origin(text).map(|origin| origin.to_string());
        assert_eq!(parsed("https://fixes.example/a").unwrap(), "https://fixes.example/a/");
        assert_eq!(parsed("/srv/mi rror").unwrap(), "file:///srv/mi%20rror/");
        assert_eq!(parsed("file:///srv/mirror").unwrap(), "file:///srv/mirror/");
        assert!(matches!(parse_origin("file:/srv/mirror"), Ok(Origin::Folder(_))));
        let bad = [
            "fixes.example",
            "mirror",
            "./mirror",
            "ftp://x/",
            "http://u:p@x/",
            "http://x/?q",
            "http://x/#f",
        ];
        for bad in bad.into_iter().chain(["", "file://elsewhere/x", "file:///x?q"]) {
            assert!(parse_origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn relative_folders_start_where_they_are_written_and_words_are_no_folders() {
        let resolved = |text: &str| resolve(text, Path::new("/etc/mulberry"));
        let folder = parse_origin(&resolved("./mirror")).unwrap();
        assert_eq!(folder.url().to_file_path().unwrap(), Path::new("/etc/mulberry/mirror"));
        for same in ["fixes.example", "https://fixes.example/", "/srv/mirror", ".hidden.example"] {
            assert_eq!(resolved(same), same);
        }
    }

    #[test]
    fn one_variable_holds_several_addresses() {
        let words = |text| split(text).collect::<Vec<_>>();
        assert_eq!(words("http://a/ file:///b\n https://c/"), ["http://a/", "file:///b", "https://c/"]);
        assert_eq!(words("/srv/my mirror"), ["/srv/my mirror"]);
        assert_eq!(words(""), [""]);
    }
}
