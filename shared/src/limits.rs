//! Every ceiling on bytes from outside, in one struct, each with its reason.
//!
//! Code takes `&Limits` (or the part it needs) as a parameter; tests pass smaller ones to reach a ceiling cheaply.

/// All ceilings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Parsing of JSON documents.
    pub json: JsonLimits,
    /// TUF metadata and its client workflow.
    pub trust: TrustLimits,
    /// Recipes, in source and published form.
    pub recipe: RecipeLimits,
    /// Certificates and path building.
    pub x509: X509Limits,
    /// Signed add-on archives.
    pub xpi: XpiLimits,
}

/// Ceilings of JSON parsing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonLimits {
    /// Nesting depth. Our deepest document has 8 levels; 32 leaves room and keeps recursion shallow.
    pub depth: usize,
    /// Bytes of one document. Root and lane metadata of hundreds of recipes stay well below 4 MiB.
    pub bytes: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self { depth: 32, bytes: 4 << 20 }
    }
}

/// Ceilings of the TUF client workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustLimits {}

/// Ceilings of recipes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipeLimits {}

/// Ceilings of certificates and path building.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X509Limits {
    /// Bytes of one certificate in DER. Real add-on certificates have at most 2 KiB, web server ones 7 KiB.
    pub certificate_bytes: usize,
    /// Extensions in one certificate. Real ones have about ten.
    pub extensions: usize,
    /// Bytes of one PEM document, which may hold several certificates.
    pub pem_bytes: usize,
    /// Certificates in one PEM document.
    pub pem_certificates: usize,
    /// Embedded certificates of one signature file. Real files have 2 or 3; beyond this the file is refused as a
    /// whole, before any work and whatever the pool holds, so that junk cannot change one verdict into another.
    pub embedded: usize,
    /// Certificates between the end entity and the anchor. Real paths have one; webpki allows 6.
    pub intermediates: usize,
    /// Signature checks for one end entity. Junk costs one check for each key of a genuine CA of the name it
    /// claims as issuer, so this is `embedded` times eight such keys.
    pub signature_checks: usize,
    /// Steps of the search among genuine certificates for one end entity. Real ones take fewer than ten.
    pub search_steps: usize,
    /// Comparisons of a name with a name constraint for one end entity (webpki's figure).
    pub name_comparisons: usize,
}

impl Default for X509Limits {
    fn default() -> Self {
        Self {
            certificate_bytes: 16 << 10,
            extensions: 64,
            pem_bytes: 4 << 20,
            pem_certificates: 256,
            embedded: 256,
            intermediates: 6,
            signature_checks: 8 * 256,
            search_steps: 10_000,
            name_comparisons: 250_000,
        }
    }
}

/// Ceilings of signed add-on archives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XpiLimits {}
