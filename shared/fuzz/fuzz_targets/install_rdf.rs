//! Any bytes as install.rdf: read within bounds or refused; and where a parser that builds a tree reads a document too, both find
//! the same id.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::limits::XpiLimits;
use mulberry_shared::xpi::identity::Identity;

const EM: &str = "http://www.mozilla.org/2004/em-rdf#";
/// Bytes up to which the other parser is asked: its work grows with more than their square.
const SMALL: usize = 2 << 10;

fuzz_target!(|bytes: &[u8]| {
    let Ok(identity) = Identity::of_install_rdf(bytes, &XpiLimits::default()) else { return };
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= SMALL) else { return };
    let Ok(tree) = roxmltree::Document::parse(text) else { return };
    let description = tree.descendants().find(|node| {
        node.attributes().any(|a| a.name() == "about" && a.value() == "urn:mozilla:install-manifest")
    });
    let description = description.expect("a description that counts");
    let child = description.children().find(|node| node.has_tag_name((EM, "id")));
    let id = child.and_then(|node| node.text()).or_else(|| description.attribute((EM, "id")));
    assert_eq!(identity.id.as_deref(), id.map(str::trim).filter(|id| !id.is_empty()));
});
