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
    /// The operators' HTTP interface.
    pub operators: OperatorsLimits,
    /// The live stream.
    pub live: LiveLimits,
    /// Bundles.
    pub bundle: BundleLimits,
    /// Proposals.
    pub proposal: ProposalLimits,
    /// What anybody may read of a ledger.
    pub ledger: LedgerLimits,
}

/// Ceilings of JSON parsing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonLimits {
    /// Nesting depth. Our deepest document has 8 levels; 32 leaves room and keeps recursion shallow.
    pub depth: usize,
    /// Bytes of one document. Root and lane metadata of hundreds of recipes stay well below 4 MiB.
    pub bytes: usize,
    /// Values (scalars, arrays and objects) of one document. Memory follows them rather than bytes: an object of one key
    /// takes 600 bytes of memory and 8 of text. A lane of 1,000 recipes has 6,000.
    pub values: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self { depth: 32, bytes: 4 << 20, values: 50_000 }
    }
}

/// Ceilings of the TUF client workflow. Byte counts are of whole files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustLimits {
    /// Bytes of one root. Ours has a few keys; the largest public ones stay below 100 kB.
    pub root_bytes: u64,
    /// Bytes of the timestamp, which nothing vouches for before it is fetched: keep it small.
    pub timestamp_bytes: u64,
    /// Bytes of the snapshot when the timestamp states no length.
    pub snapshot_bytes: u64,
    /// Bytes of targets and delegated roles when the snapshot states no length. A lane of 1,000 recipes has 200 kB.
    pub targets_bytes: u64,
    /// Bytes of one recipe or of the gates file. A recipe of 50 certificates has 150 kB.
    pub file_bytes: u64,
    /// Bytes of all recipes of an edition together. They are held in memory.
    pub edition_bytes: u64,
    /// Recipes of one lane. An emergency has a handful.
    pub recipes: usize,
    /// Root rotations in one refresh (specification 5.3.3). One a year is usual; 256 is what other clients take.
    pub rotations: u32,
    /// Roles visited in one delegated look-up (specification 5.6.7.1).
    pub delegations: usize,
    /// Bytes of a file of any repository, which is held in memory while it is checked. Installers have up to a few hundred megabytes.
    pub target_bytes: u64,
    /// Bytes of the path patterns in a role's delegations, each counted with 16 more, where a whole lane is looked up: every recipe
    /// is held against every pattern. Ours has three of 16 bytes.
    pub pattern_bytes: usize,
    /// Signatures of one file. Each costs at most one check, and only when its key counts for the role.
    pub signatures: usize,
}

impl Default for TrustLimits {
    fn default() -> Self {
        Self {
            root_bytes: 512 << 10,
            timestamp_bytes: 16 << 10,
            snapshot_bytes: 2 << 20,
            targets_bytes: 4 << 20,
            file_bytes: 1 << 20,
            edition_bytes: 24 << 20,
            recipes: 1000,
            rotations: 256,
            delegations: 32,
            target_bytes: 512 << 20,
            pattern_bytes: 16 << 10,
            signatures: 64,
        }
    }
}

/// Ceilings of recipes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipeLimits {
    /// Bytes of one published recipe, and of one recipe.toml. Sixteen certificates of 8 KiB fit, in Base64.
    pub bytes: usize,
    /// Bytes of one certificate file beside recipe.toml: a chain with its comments fits.
    pub file: usize,
    /// Certificates or distrust entries in one recipe. The incident of 2019 needed one; several are a plan B.
    pub certificates: usize,
    /// Entries of one list in targeting: more than all locales a product ships in.
    pub list: usize,
    /// Bytes of one entry of such a list, of a namespace and of a capability.
    pub word: usize,
    /// Bytes of a distrusted certificate's issuer: names of a dozen attributes stay well below.
    pub issuer: usize,
    /// Bytes of a distrusted certificate's serial number: RFC 5280 allows 20, some exceed it a little.
    pub serial: usize,
    /// Bytes of a recipe's name: it stands in one line.
    pub name: usize,
    /// Bytes of a recipe's comment: a page.
    pub comment: usize,
    /// Days for which one recipe may hold the periodic pass, as for any departure from normal verification.
    pub hold_days: u16,
    /// Steps of a rollout plan: more than anyone would take by hand.
    pub plan_steps: usize,
    /// Hours for which one step may have to wait; a recipe rarely lives longer.
    pub bake_hours: i64,
    /// Reports that a plan may ask for: as many as there are clients.
    pub min_reports: u64,
    /// Gates in one gates.json: as many as recipes anyone can oversee.
    pub gates: usize,
    /// Bytes of a gate's reason, and of its note for the public: they stand in a table.
    pub reason: usize,
    /// Earlier revisions that one gate lists as ended. Who has ended as many under one name takes another.
    pub ended: usize,
}

impl Default for RecipeLimits {
    fn default() -> Self {
        Self {
            bytes: 256 << 10,
            file: 64 << 10,
            certificates: 16,
            list: 256,
            word: 64,
            issuer: 4 << 10,
            serial: 32,
            name: 120,
            comment: 4 << 10,
            hold_days: 30,
            plan_steps: 16,
            bake_hours: 30 * 24,
            min_reports: 1_000_000_000,
            gates: 1_000,
            reason: 500,
            ended: 32,
        }
    }
}

/// Ceilings of certificates and path building.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X509Limits {
    /// Bytes of one certificate in DER. Real add-on certificates have at most 2 KiB, web server ones 7 KiB.
    pub certificate_bytes: usize,
    /// Extensions in one certificate. Real ones have about ten.
    pub extensions: usize,
    /// Attributes in one part of a name (a SET). Real ones have one, seldom two; the library that decodes them takes time that grows
    /// with the square of their number.
    pub name_part: usize,
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
    /// claims as issuer, so this is `embedded` times four such keys. Whoever has a CA's key can make certificates that cost more each.
    pub signature_checks: usize,
    /// Steps of the search among genuine certificates for one end entity. Real ones take fewer than ten.
    pub search_steps: usize,
    /// Work of comparing names with name constraints for one end entity: a comparison, and each 32 bytes of the shorter of the two,
    /// count one. Real chains need a few hundred.
    pub name_comparisons: usize,
}

impl Default for X509Limits {
    fn default() -> Self {
        Self {
            certificate_bytes: 16 << 10,
            extensions: 64,
            name_part: 16,
            pem_bytes: 4 << 20,
            pem_certificates: 256,
            embedded: 256,
            intermediates: 6,
            signature_checks: 4 * 256,
            search_steps: 4_000,
            name_comparisons: 25_000,
        }
    }
}

/// Ceilings of signed add-on archives.
///
/// Content, manifests and signature files stream through fixed buffers, so their ceilings bound work; only `directory_bytes`,
/// `signature_bytes` and `identity_bytes` bound memory (see [`memory_ceiling`](crate::xpi::memory_ceiling)). All are absolute: what
/// honest files compress to is no measure, since bitmaps, padded fonts and digests of empty files reach any ratio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XpiLimits {
    /// Bytes of one archive. The public add-on site accepts 200 MB; twice that and a little.
    pub archive_bytes: u64,
    /// Bytes of all content of one archive, expanded. About two seconds of hashing.
    pub content_bytes: u64,
    /// Bytes of one file, expanded: Firefox's own ceiling, behind which it takes a file for damaged.
    pub file_bytes: u32,
    /// Entries of one archive, folders included: as many as a directory without zip64 can count. The largest add-ons have some ten
    /// thousand files.
    pub entries: usize,
    /// Bytes of the zip directory: `entries` records with names of 80 bytes.
    pub directory_bytes: usize,
    /// Bytes of an entry's name: Firefox's own ceiling.
    pub name_bytes: usize,
    /// Bytes of a manifest or signature file: Firefox's own ceiling. 60,000 files with a digest each.
    pub manifest_bytes: usize,
    /// Bytes of a physical line in a manifest, as the JAR file specification and Firefox have it.
    pub line_bytes: usize,
    /// Bytes of a line with its continuations, likewise.
    pub logical_line_bytes: usize,
    /// Bytes of a PKCS#7 or COSE signature. Real ones have 4 to 10 KB, with a time stamp 20; the rest is room for unsigned
    /// junk that must not matter: 200 certificates of the size of real ones.
    pub signature_bytes: usize,
    /// Nesting of CBOR in a COSE signature. Real ones have 4 levels.
    pub cbor_depth: usize,
    /// Items of CBOR in a COSE signature: `X509Limits::embedded` certificates and some. Memory follows them: 40 bytes each.
    pub cbor_items: usize,
    /// Signers of a COSE signature. Real ones have one.
    pub cose_signers: usize,
    /// Bytes of `manifest.json` and `install.rdf`, read for the id. Real ones stay below 50 KB.
    pub identity_bytes: usize,
    /// Bytes of an id and of a version: they are stored and shown for every add-on. Real ones stay below 100.
    pub identity_text: usize,
    /// `install.rdf` as XML.
    pub xml: XmlLimits,
}

/// Ceilings of an XML document, which is read as a stream. Its work is its bytes times these, and they are small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlLimits {
    /// Elements within each other. Real ones nest 6 deep.
    pub depth: usize,
    /// Attributes of one element, declarations of namespaces included. Real ones have a dozen, where all is said in attributes.
    pub attributes: usize,
    /// Declarations of namespaces in force at once. Real ones have two or three.
    pub namespaces: usize,
}

impl Default for XmlLimits {
    fn default() -> Self {
        Self { depth: 64, attributes: 128, namespaces: 32 }
    }
}

impl Default for XpiLimits {
    fn default() -> Self {
        Self {
            archive_bytes: 448 << 20,
            content_bytes: 1 << 30,
            file_bytes: 256 << 20,
            entries: 65_535,
            directory_bytes: 8 << 20,
            name_bytes: 4096,
            manifest_bytes: 8_000_000,
            line_bytes: 72,
            logical_line_bytes: 65_535,
            signature_bytes: 256 << 10,
            cbor_depth: 16,
            cbor_items: 1000,
            cose_signers: 8,
            identity_bytes: 512 << 10,
            identity_text: 255,
            xml: XmlLimits::default(),
        }
    }
}

/// Ceilings of the operators' HTTP interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorsLimits {
    /// Bytes of one request's body, held up to three times while it is read. A lane's metadata and thirty of the largest
    /// recipes fit, in Base64.
    pub body_bytes: usize,
    /// Seconds for one body to arrive: the largest one over 10 Mbit/s.
    pub body_seconds: u64,
}

impl Default for OperatorsLimits {
    fn default() -> Self {
        Self { body_bytes: 16 << 20, body_seconds: 30 }
    }
}

/// Ceilings of the live stream, as an agent reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveLimits {
    /// Bytes of one line. Ours have 40; the rest is room for what later servers may add.
    pub line_bytes: usize,
    /// Bytes of one event's data.
    pub event_bytes: usize,
}

impl Default for LiveLimits {
    fn default() -> Self {
        Self { line_bytes: 4 << 10, event_bytes: 16 << 10 }
    }
}

/// Ceilings of a bundle: one edition in one file, which is held in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleLimits {
    /// Bytes of the file: all recipes of the largest edition, its metadata, and a hundred large roots.
    pub bytes: usize,
    /// Entries: two full lanes, all roots of a refresh, and the few roles.
    pub entries: usize,
    /// Bytes of a path. Ours have at most 152.
    pub path_bytes: usize,
}

impl Default for BundleLimits {
    fn default() -> Self {
        Self { bytes: 64 << 20, entries: 4096, path_bytes: 200 }
    }
}

/// Ceilings of proposals: what people sign, while they sign it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposalLimits {
    /// Bytes of metadata and recipes together. As a request to the server they must fit into `operators.body_bytes`, in Base64.
    pub bytes: usize,
    /// Bytes of a file: a proposal and the largest bundle, in Base64.
    pub file_bytes: usize,
    /// Proposals that a server keeps at once, overtaken ones included. More than anyone can oversee.
    pub kept: usize,
    /// Bytes of all of them together: they are held in memory.
    pub kept_bytes: usize,
    /// Ceremonies that a server keeps at once, overtaken ones included: people hold one after the other.
    pub ceremonies: usize,
    /// Bytes of the reason for dropping one: it stands in one line.
    pub reason: usize,
}

impl Default for ProposalLimits {
    fn default() -> Self {
        Self {
            bytes: 11 << 20,
            file_bytes: 104 << 20,
            kept: 32,
            kept_bytes: 64 << 20,
            ceremonies: 4,
            reason: 500,
        }
    }
}

/// Bytes of one record of a ledger: a publish of the largest request, as base64 in JSON, stays below.
pub const LEDGER_RECORD_BYTES: usize = 32 << 20;

/// Ceilings of what anybody may read of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerLimits {
    /// Bytes of a page of links: 256 hashes of 67 bytes, and what stands around them.
    pub page_bytes: usize,
    /// Pages fetched for one check: 65,536 events, which take 4.5 MB. A server that sets gates all day has 50 events.
    pub pages: u64,
    /// Heads that a witness keeps for later where it cannot compare them, at least 2. They are written with its state: 64 have 12 KiB, and
    /// agents whose mirror has no links hold them for ever.
    pub waiting_heads: usize,
    /// Bytes of the list of continuations: one has a kilobyte, and few servers are lost more than once.
    pub continues_bytes: usize,
    /// Bytes of a continuation's file: the roots of a refresh of 10 KiB each, in Base64.
    pub continuation_file_bytes: usize,
    /// Bytes of the record that a rebuild of what is published would take: [`LEDGER_RECORD_BYTES`], which stores and exports go by.
    pub record_bytes: usize,
}

impl Default for LedgerLimits {
    fn default() -> Self {
        Self {
            record_bytes: LEDGER_RECORD_BYTES,
            page_bytes: 20 << 10,
            pages: 256,
            waiting_heads: 64,
            continues_bytes: 128 << 10,
            continuation_file_bytes: 4 << 20,
        }
    }
}
