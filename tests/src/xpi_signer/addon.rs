//! What is signed: an id, a version and files.

use sha2::{Digest, Sha256};

use crate::LabError;

/// An add-on before it is signed.
#[derive(Clone, Debug)]
pub struct Addon {
    /// Its id, such as `a@example.org` or a UUID in braces.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Where the id stands.
    pub id_place: IdPlace,
    /// Files beside the manifest, in the order of the archive. Names may be anything.
    pub contents: Vec<NamedBytes>,
}

/// A file's name and content. Names are bytes too, so that they can be wrong.
pub type NamedBytes = (Vec<u8>, Vec<u8>);

/// Where an add-on's id stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdPlace {
    /// `browser_specific_settings.gecko.id` in `manifest.json`.
    BrowserSpecificSettings,
    /// `applications.gecko.id` in `manifest.json`, the older name.
    Applications,
    /// `install.rdf`, as an element.
    InstallRdf,
    /// `install.rdf`, as an attribute.
    InstallRdfAttribute,
    /// Nowhere: `manifest.json` has none, so the certificate's CN counts.
    Nowhere,
    /// In one of the contents, as the fixture wrote it: no file is added.
    Contents,
}

impl Addon {
    /// An add-on of three small files, the id in `manifest.json`.
    pub fn small(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            version: "1.0.2".to_owned(),
            id_place: IdPlace::BrowserSpecificSettings,
            contents: vec![
                (b"background.js".to_vec(), b"console.log('laboratory');\n".to_vec()),
                (b"icons/icon.svg".to_vec(), b"<svg xmlns='http://www.w3.org/2000/svg'/>\n".to_vec()),
            ],
        }
    }

    /// The same with one more file.
    #[must_use]
    pub fn with_file(mut self, name: impl Into<Vec<u8>>, data: impl Into<Vec<u8>>) -> Self {
        self.contents.push((name.into(), data.into()));
        self
    }

    /// The CN its end entity must have: the id, or its SHA-256 in hex when it is longer than 64 characters.
    pub fn common_name(&self) -> String {
        if self.id.len() > 64 { hex::encode(Sha256::digest(self.id.as_bytes())) } else { self.id.clone() }
    }

    /// All files in the order of the archive, the file with the id first.
    ///
    /// # Errors
    /// Never for ids and versions that JSON can carry.
    pub fn files(&self) -> Result<Vec<NamedBytes>, LabError> {
        let mut files = match self.id_place {
            IdPlace::Contents => Vec::new(),
            IdPlace::InstallRdf => vec![(b"install.rdf".to_vec(), self.install_rdf(true))],
            IdPlace::InstallRdfAttribute => vec![(b"install.rdf".to_vec(), self.install_rdf(false))],
            _ => vec![(b"manifest.json".to_vec(), self.manifest_json()?)],
        };
        files.extend(self.contents.iter().cloned());
        Ok(files)
    }

    fn manifest_json(&self) -> Result<Vec<u8>, LabError> {
        let mut manifest = serde_json::json!({
            "manifest_version": 2,
            "name": format!("Laboratory add-on {}", self.id),
            "version": self.version,
            "background": {"scripts": ["background.js"]},
        });
        let key = match self.id_place {
            IdPlace::BrowserSpecificSettings => Some("browser_specific_settings"),
            IdPlace::Applications => Some("applications"),
            _ => None,
        };
        if let (Some(key), Some(object)) = (key, manifest.as_object_mut()) {
            object.insert(key.to_owned(), serde_json::json!({"gecko": {"id": self.id}}));
        }
        Ok(serde_json::to_vec_pretty(&manifest)?)
    }

    fn install_rdf(&self, elements: bool) -> Vec<u8> {
        let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let (id, version) = (escape(&self.id), escape(&self.version));
        let (attributes, body) = if elements {
            (String::new(), format!("    <em:id>{id}</em:id>\n    <em:version>{version}</em:version>\n"))
        } else {
            (format!(" em:id=\"{id}\" em:version=\"{version}\""), String::new())
        };
        // The target application has an id of its own, which must not be taken for the add-on's.
        format!(
            "<?xml version=\"1.0\"?>\n<RDF xmlns=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"\n     \
             xmlns:em=\"http://www.mozilla.org/2004/em-rdf#\">\n  \
             <Description about=\"urn:mozilla:install-manifest\"{attributes}>\n{body}    \
             <em:targetApplication>\n      <Description>\n        \
             <em:id>{{ec8030f7-c20a-464f-9b0e-13a3a9e97384}}</em:id>\n        \
             <em:minVersion>50.0</em:minVersion>\n        <em:maxVersion>60.*</em:maxVersion>\n      \
             </Description>\n    </em:targetApplication>\n  </Description>\n</RDF>\n"
        )
        .into_bytes()
    }
}
