//! What kinds of mistake a recipe's source can have.

use serde::Serialize;

use crate::explain::explained;

/// The kind of one problem with a recipe's source. The closed list; the kebab-case names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceProblemKind {
    /// The file is no TOML.
    Syntax,
    /// A key that must be there is not.
    MissingKey,
    /// A key that nothing reads.
    UnknownKey,
    /// A value of another type than the key takes.
    WrongType,
    /// A word that is not in the key's closed list.
    UnknownValue,
    /// A value of the right type that does not read as what it should be.
    BadValue,
    /// A list without entries.
    EmptyList,
    /// Something appears twice.
    Twice,
    /// More bytes or entries than a recipe may have.
    TooLarge,
    /// A file beside the recipe that cannot be read, or holds no certificate.
    BadFile,
    /// A certificate that the action must not be given.
    BadCertificate,
    /// Lane, consent and action do not go together.
    Consent,
    /// Dates in an order or at a distance that may not be.
    Dates,
    /// Two recipes have one slug.
    SlugTwice,
    /// A warning: a word that is legal, and is probably a slip of another.
    DoubtfulWord,
    /// A warning: a range that is legal, and takes in less or more than it seems to.
    DoubtfulRange,
    /// A warning: a certificate whose dates leave no time at which agents install it.
    DoubtfulCertificate,
}

explained!(SourceProblemKind {
    Syntax: "the file is no TOML",
        "correct the line that is named; other problems are looked for after that";
    MissingKey: "a key or table that a recipe needs is missing",
        "add it as the remedy shows, or begin with `mulberryctl recipe new`";
    UnknownKey: "a key that no recipe has",
        "correct its spelling, or take it out: what is not known is never ignored";
    WrongType: "a value has another type than its key takes",
        "write it as the remedy shows: text in quotation marks, lists in brackets";
    UnknownValue: "a word that is not among those that the key knows",
        "write one of those that the remedy lists";
    BadValue: "a value of the right type does not read as what it must be: a slug, a number, a time, a range, a line of text",
        "write it as the remedy shows";
    EmptyList: "a list is there and has no entry, which would mean nobody or nothing",
        "list at least one; in `targeting`, leave the key out to mean any";
    Twice: "an entry appears twice",
        "leave one out";
    TooLarge: "a file, a list or the recipe itself is larger than it may be",
        "leave out what is not needed, or split the recipe";
    BadFile: "a file that the recipe names is not beside it, cannot be read, or is no certificate in PEM, DER or PKCS#7",
        "put the certificate alone beside `recipe.toml` and give its bare name";
    BadCertificate: "a certificate is not one that may be installed: self-issued, or no CA's",
        "give the intermediate that issued the add-ons' certificates, and that an anchor issued";
    Consent: "lane, consent and action do not go together",
        "use `hotfix` or `security`: both need only that updates are on";
    Dates: "the dates are in an order, or so far apart, as may not be",
        "give the dates that the remedy names; a longer hold is a new recipe, signed again";
    SlugTwice: "two recipes that were checked together have one slug",
        "rename one of them: a slug names one recipe in all lanes";
    DoubtfulWord: "a warning: a word in `targeting` that is probably a slip of another, so that the recipe would reach nobody by it",
        "correct it, or leave it if clients say just that; a fleet's own channels are named in `mulberryctl.toml`";
    DoubtfulRange: "a warning: a range of versions that names one version alone where it seems to name all that begin so, or names \
        `esr`, which is not compared",
        "write `66.0.*` for every 66.0 and `channels = [\"esr\"]` for ESR alone, or leave it if it means what was meant";
    DoubtfulCertificate: "a warning: a certificate has expired, or is not valid at any time at which the recipe is",
        "give one that is valid while the recipe is: agents do not install it";
});
