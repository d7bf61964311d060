//! `install.rdf`, in which add-ons stated their id before WebExtensions.
//!
//! The file is read as a stream, in one pass: nothing vouches for its author yet, and building a tree of it can cost the number of
//! its elements times the square of its namespaces.

use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{PrefixDeclaration, QName};
use quick_xml::{Reader, XmlVersion};

use super::Identity;
use crate::limits::{XmlLimits, XpiLimits};
use crate::xpi::verdict::Fault;

/// The namespace of `em:id` and `em:version`.
const EM: &str = "http://www.mozilla.org/2004/em-rdf#";
/// The namespace that the prefix `xml` has without being declared.
const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// What the one description that counts is about.
const ABOUT: &str = "urn:mozilla:install-manifest";

/// Reads `em:id` and `em:version` of the first description of `urn:mozilla:install-manifest`.
///
/// # Errors
/// Not UTF-8, not well-formed XML, a document type, a ceiling, or no such description.
pub(super) fn read(bytes: &[u8], limits: &XpiLimits) -> Result<Identity, Fault> {
    if bytes.len() > limits.identity_bytes {
        let max = limits.identity_bytes;
        return Err(Fault::limit(format!("install.rdf has more than the {max} bytes that are read")));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.bytes().any(|byte| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')) {
        return Err(malformed("it has a control character"));
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut document = Document::new(&limits.xml);
    loop {
        let event = reader.read_event().map_err(malformed)?;
        if matches!(event, Event::Eof) {
            return document.end();
        }
        document.see(event)?;
    }
}

/// What was seen of the document so far.
struct Document<'l> {
    limits: &'l XmlLimits,
    /// How many elements are open.
    depth: usize,
    /// Whether the root element was met.
    has_root: bool,
    /// The namespaces in force, innermost last.
    namespaces: Vec<Namespace>,
    found: Option<Description>,
}

/// One declaration of a namespace.
struct Namespace {
    /// The depth of the element that declares it.
    depth: usize,
    /// Empty for the default namespace.
    prefix: String,
    is_em: bool,
}

/// The description that counts.
struct Description {
    /// Its depth.
    depth: usize,
    /// Whether its end was met.
    is_closed: bool,
    id: Value,
    version: Value,
}

/// A value that the description states as an attribute, or in its first child element of that name.
#[derive(Default)]
struct Value {
    attribute: Option<String>,
    /// The text with which the child begins, once the child was met; an element may hold others before any text.
    child: Option<Option<String>>,
    /// Whether more of that text may follow.
    is_open: bool,
}

impl Value {
    fn text(self) -> Option<String> {
        let text = self.child.flatten().or(self.attribute)?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

impl Description {
    fn values(&mut self) -> [&mut Value; 2] {
        [&mut self.id, &mut self.version]
    }

    fn value(&mut self, name: &str) -> Option<&mut Value> {
        match name {
            "id" => Some(&mut self.id),
            "version" => Some(&mut self.version),
            _ => None,
        }
    }
}

impl<'l> Document<'l> {
    fn new(limits: &'l XmlLimits) -> Self {
        Self { limits, depth: 0, has_root: false, namespaces: Vec::new(), found: None }
    }

    fn see(&mut self, event: Event<'_>) -> Result<(), Fault> {
        match event {
            Event::Start(element) => self.open(&element),
            Event::Empty(element) => {
                self.open(&element)?;
                self.close();
                Ok(())
            }
            Event::End(_) => {
                self.close();
                Ok(())
            }
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) if self.depth > 0 => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) if self.depth > 0 => match reference.resolve_char_ref() {
                Ok(Some(character)) => self.text(character.encode_utf8(&mut [0; 4])),
                Ok(None) => match quick_xml::escape::resolve_predefined_entity(&reference) {
                    Some(text) => self.text(text),
                    None => Err(malformed("it refers to an entity that is not known")),
                },
                Err(error) => Err(malformed(error)),
            },
            Event::CData(_) | Event::GeneralRef(_) => Err(malformed("it has text outside the root element")),
            Event::DocType(_) => Err(malformed("it has a document type")),
            Event::Comment(_) | Event::PI(_) => {
                self.end_of_text();
                Ok(())
            }
            Event::Decl(_) | Event::Eof => Ok(()),
        }
    }

    fn end(self) -> Result<Identity, Fault> {
        if self.depth > 0 || !self.has_root {
            return Err(malformed("it ends too early"));
        }
        let found = self.found.ok_or_else(|| malformed("it has no urn:mozilla:install-manifest"))?;
        Ok(Identity { id: found.id.text(), version: found.version.text() })
    }

    fn open(&mut self, element: &BytesStart<'_>) -> Result<(), Fault> {
        self.end_of_text();
        if self.depth == 0 && self.has_root {
            return Err(malformed("it has more than one root element"));
        }
        self.has_root = true;
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(limit(format!("is nested more than {} levels deep", self.limits.depth)));
        }
        let attributes = self.attributes(element)?;
        for attribute in &attributes {
            self.declare(attribute)?;
        }
        let is_em = self.is_em(element.name(), Unprefixed::HasDefault)?;
        let local = element.local_name();
        let name = local.as_ref();
        match &mut self.found {
            None => self.found = self.description(&attributes)?,
            Some(found) if is_em && !found.is_closed && self.depth == found.depth + 1 => {
                if let Some(value) = found.value(name).filter(|value| value.child.is_none()) {
                    (value.child, value.is_open) = (Some(None), true);
                }
            }
            Some(_) => {}
        }
        for attribute in attributes.iter().filter(|attribute| attribute.key.as_namespace_binding().is_none())
        {
            self.is_em(attribute.key, Unprefixed::HasNone)?;
        }
        Ok(())
    }

    fn close(&mut self) {
        self.end_of_text();
        if let Some(found) = self.found.as_mut().filter(|found| found.depth == self.depth) {
            found.is_closed = true;
        }
        while self.namespaces.pop_if(|namespace| namespace.depth == self.depth).is_some() {}
        self.depth = self.depth.saturating_sub(1);
    }

    fn text(&mut self, text: &str) -> Result<(), Fault> {
        if self.depth == 0 {
            let blank = text.bytes().all(|byte| byte.is_ascii_whitespace());
            return blank.then_some(()).ok_or_else(|| malformed("it has text outside the root element"));
        }
        for value in self.found.iter_mut().flat_map(Description::values).filter(|value| value.is_open) {
            value.child.get_or_insert_default().get_or_insert_default().push_str(text);
        }
        Ok(())
    }

    /// What follows text and is none ends it.
    fn end_of_text(&mut self) {
        for value in self.found.iter_mut().flat_map(Description::values) {
            value.is_open = false;
        }
    }

    fn attributes<'e>(&self, element: &'e BytesStart<'_>) -> Result<Vec<Attribute<'e>>, Fault> {
        let mut all = Vec::new();
        for attribute in element.attributes() {
            if all.len() >= self.limits.attributes {
                let max = self.limits.attributes;
                return Err(limit(format!("has an element with more than {max} attributes")));
            }
            all.push(attribute.map_err(malformed)?);
        }
        Ok(all)
    }

    /// Takes up a declaration of a namespace, if the attribute is one.
    fn declare(&mut self, attribute: &Attribute<'_>) -> Result<(), Fault> {
        let prefix = match attribute.key.as_namespace_binding() {
            None => return Ok(()),
            Some(PrefixDeclaration::Default) => "",
            Some(PrefixDeclaration::Named(prefix)) => prefix,
        };
        if self.namespaces.len() >= self.limits.namespaces {
            let max = self.limits.namespaces;
            return Err(limit(format!("has more than {max} namespaces in force at once")));
        }
        let name = value(attribute)?;
        // A default namespace may be taken back; a prefix may not, and `xml` has one for good.
        if prefix.is_empty() != (attribute.key.into_inner() == "xmlns")
            || (!prefix.is_empty() && name.is_empty())
            || prefix == "xmlns"
            || (prefix == "xml") != (name == XML)
        {
            return Err(malformed("it declares a namespace that may not be declared"));
        }
        self.namespaces.push(Namespace { depth: self.depth, prefix: prefix.to_owned(), is_em: name == EM });
        Ok(())
    }

    /// Whether a name is in the namespace [`EM`].
    fn is_em(&self, name: QName<'_>, unprefixed: Unprefixed) -> Result<bool, Fault> {
        let (local, prefix) = name.decompose();
        let prefix = match (prefix, unprefixed) {
            (None, Unprefixed::HasNone) => return Ok(false),
            (None, Unprefixed::HasDefault) => "",
            (Some(prefix), _) => prefix.into_inner(),
        };
        if name.into_inner() == ":" || local.into_inner().is_empty() || local.into_inner().contains(':') {
            return Err(malformed("it has a name that is none"));
        }
        match self.namespaces.iter().rev().find(|namespace| namespace.prefix == prefix) {
            Some(namespace) => Ok(namespace.is_em),
            None if matches!(prefix, "" | "xml") => Ok(false),
            None => Err(malformed("it uses a namespace that it does not declare")),
        }
    }

    /// The description that counts, if the element with these attributes is it.
    fn description(&self, attributes: &[Attribute<'_>]) -> Result<Option<Description>, Fault> {
        let mut is_it = false;
        for attribute in attributes.iter().filter(|attribute| attribute.key.local_name().as_ref() == "about")
        {
            is_it |= attribute.key.as_namespace_binding().is_none() && value(attribute)? == ABOUT;
        }
        if !is_it {
            return Ok(None);
        }
        let mut found = Description {
            depth: self.depth,
            is_closed: false,
            id: Value::default(),
            version: Value::default(),
        };
        for attribute in attributes {
            if !self.is_em(attribute.key, Unprefixed::HasNone).unwrap_or_default() {
                continue;
            }
            let Some(stated) = found.value(attribute.key.local_name().as_ref()) else { continue };
            if stated.attribute.replace(value(attribute)?).is_some() {
                return Err(malformed("its description has one attribute twice"));
            }
        }
        Ok(Some(found))
    }
}

/// In which namespace a name without prefix is.
#[derive(Clone, Copy)]
enum Unprefixed {
    /// Elements.
    HasDefault,
    /// Attributes.
    HasNone,
}

fn value(attribute: &Attribute<'_>) -> Result<String, Fault> {
    Ok(attribute.normalized_value(XmlVersion::Implicit1_0).map_err(malformed)?.into_owned())
}

fn malformed(what: impl std::fmt::Display) -> Fault {
    Fault::manifest(format!("install.rdf cannot be read: {what}"))
}

fn limit(what: String) -> Fault {
    Fault::limit(format!("install.rdf {what}"))
}

#[cfg(test)]
mod tests;
