use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::xpi::VerdictKind;

fn read(text: &str) -> Result<Identity, Fault> {
    super::read(text.as_bytes(), &XpiLimits::default())
}

/// In a root element that declares the two usual namespaces.
fn wrap(inner: &str) -> String {
    format!(
        "<RDF xmlns=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" \
         xmlns:em=\"http://www.mozilla.org/2004/em-rdf#\">{inner}</RDF>"
    )
}

/// A description that counts, with these children.
fn description(inner: &str) -> String {
    wrap(&format!("<Description about=\"urn:mozilla:install-manifest\">{inner}</Description>"))
}

#[test]
fn install_rdf_has_the_id_as_element_or_attribute_and_not_a_target_s() {
    let target =
        "<em:targetApplication><Description><em:id>target</em:id></Description></em:targetApplication>";
    let forms = [
        description(&format!("{target}<em:id> a@x </em:id>")),
        wrap(&format!(
            "<Description about=\"urn:mozilla:install-manifest\" em:id=\"a@x\">{target}</Description>"
        )),
        description("<e:id xmlns:e='http://www.mozilla.org/2004/em-rdf#'>a@x</e:id>"),
        description("<id xmlns='http://www.mozilla.org/2004/em-rdf#'>a@x</id>"),
        description("<em:id><![CDATA[a]]>&#64;x</em:id>"),
    ];
    for form in forms {
        assert_eq!(read(&form).unwrap().id.as_deref(), Some("a@x"), "{form}");
    }
    for nobody in ["<id>a@x</id>", "<x:id xmlns:x='urn:x'>a@x</x:id>", "<em:id/>", "<em:id><b/>a@x</em:id>"] {
        assert_eq!(read(&description(nobody)).unwrap().id, None, "{nobody}");
    }
}

#[test]
fn what_is_no_well_formed_document_is_refused() {
    let bomb = "<!DOCTYPE a [<!ENTITY b \"c\">]><a about=\"urn:mozilla:install-manifest\">&b;</a>";
    let good = description("");
    for bad in [
        "",
        bomb,
        "<a about='urn:mozilla:install-manifest'>",
        "<a about='urn:mozilla:install-manifest'/><b/>",
        "<a about='urn:mozilla:install-manifest'/>b",
        "<a about='urn:mozilla:install-manifest'><b></a></b>",
        "<a about='urn:mozilla:install-manifest'>&b;</a>",
        "<a about='urn:mozilla:install-manifest' about='urn:mozilla:install-manifest'/>",
        "<p:a about='urn:mozilla:install-manifest'/>",
        "<a p:about='urn:mozilla:install-manifest'/>",
        "<a about='urn:mozilla:install-manifest'>\0</a>",
        "<a/>",
        &good[..good.len() - 1],
    ] {
        assert_eq!(read(bad).unwrap_err().kind, VerdictKind::MalformedManifest, "{bad}");
    }
    assert!(read(&good).is_ok());
}

#[test]
fn depth_attributes_namespaces_and_size_are_bounded() {
    let limits = XpiLimits::default();
    let XmlLimits { depth, attributes, namespaces } = limits.xml;
    let many = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let nested = |levels: usize| description(&("<b>".repeat(levels) + &"</b>".repeat(levels)));
    let attributed = |count: usize| description(&format!("<b {}/>", many(count, &|n| format!("a{n}='' "))));
    let declared =
        |count: usize| description(&format!("<b {}/>", many(count, &|n| format!("xmlns:n{n}='urn:{n}' "))));
    let cases = [
        (nested(depth - 2), nested(depth - 1)),
        (attributed(attributes), attributed(attributes + 1)),
        // Two are in force already.
        (declared(namespaces - 2), declared(namespaces - 1)),
    ];
    for (most, more) in cases {
        assert!(read(&most).is_ok(), "{:?}", read(&most));
        assert_eq!(read(&more).unwrap_err().kind, VerdictKind::LimitExceeded);
    }
    let long = description(&" ".repeat(limits.identity_bytes));
    assert_eq!(read(&long).unwrap_err().kind, VerdictKind::LimitExceeded);
    // What is declared again and again is not in force together.
    let siblings = description(&many(5_000, &|n| format!("<b xmlns:n{n}='urn:{n}'/>")));
    assert!(read(&siblings).is_ok());
}

/// The same, read as a tree by another parser.
fn as_a_tree(text: &str) -> Option<Identity> {
    let document = roxmltree::Document::parse(text).ok()?;
    let description = document.descendants().find(|node| {
        node.attributes().any(|a| a.name() == "about" && a.value() == "urn:mozilla:install-manifest")
    })?;
    let value = |name: &str| {
        let child = description.children().find(|node| node.has_tag_name((EM, name)));
        let text = child.and_then(|node| node.text()).or_else(|| description.attribute((EM, name)))?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    Some(Identity { id: value("id"), version: value("version") })
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["id", "version", "em:id", "em:version", "e:id", "e:version", "x:id", "b"])
        .prop_map(str::to_owned)
}

fn attribute() -> impl Strategy<Value = String> {
    // A prefix must not be taken back (Namespaces in XML 1.0, section 5); the other parser lets it.
    let declarations = prop::sample::select(vec!["xmlns", "xmlns:em", "xmlns:e", "xmlns:x"]);
    let namespaces = prop::sample::select(vec![EM, "urn:x"]);
    prop_oneof![
        Just("about='urn:mozilla:install-manifest'".to_owned()),
        Just("e:about=\"urn:mozilla:install-manifest\"".to_owned()),
        Just("xmlns=''".to_owned()),
        (declarations, namespaces).prop_map(|(name, uri)| format!("{name}='{uri}'")),
        (name(), "[a-b \t\n]{0,3}(&lt;|&#65;|&none;)?").prop_map(|(name, value)| format!("{name}='{value}'")),
    ]
}

/// The other parser lets a namespace be declared twice.
fn once_each(attributes: &[String]) -> String {
    let by_name: BTreeMap<_, _> = attributes.iter().map(|one| (one.split('=').next(), one)).collect();
    by_name.values().map(|one| format!(" {one}")).collect()
}

fn element() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-b \r\n]{0,4}",
        "<!\\[CDATA\\[[a-b< ]{0,3}\\]\\]>",
        "<!--[a-b ]{0,3}-->",
        "<\\?p [a-b ]{0,3}\\?>",
        "(&amp;|&#x62;|&none;)",
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        (name(), prop::collection::vec(attribute(), 0..4), prop::collection::vec(inner, 0..4)).prop_map(
            |(name, attributes, children)| {
                let attributes = once_each(&attributes);
                match children.concat() {
                    none if none.is_empty() => format!("<{name}{attributes}/>"),
                    children => format!("<{name}{attributes}>{children}</{name}>"),
                }
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_document_says_the_same_as_its_tree(inner in element(), outer in prop::collection::vec(attribute(), 0..3)) {
        let outer = once_each(&outer);
        for text in [
            description(&inner),
            wrap(&inner),
            format!("<b xmlns:em='{EM}' xmlns:e='{EM}' xmlns:x='urn:x'><a{outer}>{inner}</a></b>"),
        ] {
            // Line ends are told apart by no parser (XML 1.0 section 2.11); the tree's forgets one before a reference.
            let one_line_end = text.replace("\r\n", "\n").replace('\r', "\n");
            if let Some(expected) = as_a_tree(&one_line_end) {
                prop_assert_eq!(read(&text).ok(), Some(expected), "{}", text);
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = super::read(&bytes, &XpiLimits::default());
    }

    #[test]
    fn no_markup_makes_it_panic(text in "([<>/&;:='\"!?a-c \\-\\[\\]]|xmlns|about|em:id|CDATA){0,40}") {
        let _ = read(&text);
        let _ = read(&description(&text));
    }
}
