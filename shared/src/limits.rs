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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct X509Limits {}

/// Ceilings of signed add-on archives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XpiLimits {}
