//! Which redirects of an origin are followed, and what is said of the others.

use reqwest::Url;
use reqwest::redirect::{Action, Attempt};

/// Redirects within the origin's own scheme, host and port; a mirror that moved a path needs one or two.
const REDIRECTS: usize = 3;

/// Where a redirect that is not followed leads. Only a person moves an origin to another scheme, host or port.
pub(super) fn elsewhere(from: Option<&Url>, to: &Url) -> String {
    let same_host = from.is_some_and(|from| from.host_str() == to.host_str());
    let place = to.origin().ascii_serialization();
    match (from.map(Url::scheme), to.scheme()) {
        (Some("http"), "https") if same_host => {
            format!("the origin redirected to HTTPS on the same host; name it as {place} among the origins")
        }
        _ if same_host => {
            format!("the origin redirected to {place}, another port; name that one if it is meant")
        }
        _ => format!("the origin redirected to another host, {place}; name that one if it is meant"),
    }
}

/// Follows a redirect that stays with the origin, up to a bound.
pub(super) fn within_the_origin(attempt: Attempt<'_>) -> Action {
    let same = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    if !same {
        let sentence = elsewhere(attempt.previous().first(), attempt.url());
        return attempt.error(sentence);
    }
    if attempt.previous().len() > REDIRECTS {
        return attempt.error("the origin redirected too often");
    }
    attempt.follow()
}
