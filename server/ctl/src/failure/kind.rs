//! The stable names of failures. A [`Kind`] can only be made of a name that stands in a closed list with its explanation, so
//! no failure can have one that `shared/docs/errors.md` does not know.

use mulberry_shared::{
    exit::Exit,
    explain::{Explain, Explanation},
    operators::ProblemKind,
    tuf::TrustErrorKind,
};
use std::fmt;

/// The stable name of a failure: this tool's own, or that of what a server, an origin or a signature check said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(&'static str);

impl Kind {
    /// The name: kebab-case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl PartialEq<&str> for Kind {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl From<FailureKind> for Kind {
    fn from(kind: FailureKind) -> Self {
        Self(kind.as_str())
    }
}

impl From<Exit> for Kind {
    fn from(exit: Exit) -> Self {
        Self(exit.kind())
    }
}

impl From<TrustErrorKind> for Kind {
    fn from(kind: TrustErrorKind) -> Self {
        Self(kind.as_str())
    }
}

impl From<ProblemKind> for Kind {
    fn from(kind: ProblemKind) -> Self {
        Self(match kind {
            ProblemKind::MalformedRequest => "malformed-request",
            ProblemKind::Unauthenticated => "unauthenticated",
            ProblemKind::Forbidden => "forbidden",
            ProblemKind::NotFound => "not-found",
            ProblemKind::MethodNotAllowed => "method-not-allowed",
            ProblemKind::TooLarge => "too-large",
            ProblemKind::UnknownRecipe => "unknown-recipe",
            ProblemKind::UnknownProposal => "unknown-proposal",
            ProblemKind::ProposalOvertaken => "proposal-overtaken",
            ProblemKind::AlreadySigned => "already-signed",
            ProblemKind::SignatureRefused => "signature-refused",
            ProblemKind::ProposalRefused => "proposal-refused",
            ProblemKind::WouldDisappear => "would-disappear",
            ProblemKind::WithdrawMismatch => "withdraw-mismatch",
            ProblemKind::SlugTaken => "slug-taken",
            ProblemKind::NotNewer => "not-newer",
            ProblemKind::RevisionMismatch => "revision-mismatch",
            ProblemKind::GateEnded => "gate-ended",
            ProblemKind::GateRefused => "gate-refused",
            ProblemKind::SecondKeyNeeded => "second-key-needed",
            ProblemKind::WouldResume => "would-resume",
            ProblemKind::ApprovalRefused => "approval-refused",
            ProblemKind::RecipeRefused => "recipe-refused",
            ProblemKind::TrustRefused => "trust-refused",
            // Here it must be told from what goes wrong on this side.
            ProblemKind::Internal => FailureKind::ServerInternal.as_str(),
            ProblemKind::Unavailable => FailureKind::ServerUnavailable.as_str(),
            ProblemKind::Unknown => FailureKind::ServerProblem.as_str(),
        })
    }
}

/// The enum, its names and their explanations from one list.
macro_rules! kinds {
    ($($variant:ident $name:literal: $meaning:literal, $remedy:literal;)+) => {
        /// A failure of this tool's own. The closed list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FailureKind {
            $(#[doc = $meaning] $variant),+
        }

        impl FailureKind {
            /// The stable name.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl Explain for FailureKind {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn explain(self) -> Explanation {
                match self { $(Self::$variant => Explanation { meaning: $meaning, remedy: $remedy }),+ }
            }
        }
    };
}

kinds! {
    ConfigUnreadable "config-unreadable": "the configuration file cannot be read",
        "check `--config` and MULBERRYCTL_CONFIG; `mulberryctl config show` says which file is meant";
    ConfigInvalid "config-invalid": "the configuration file has an unknown key or a value of the wrong type",
        "correct the line that is named";
    NoRoot "no-root": "no trusted root is named",
        "give `--root`: the `root.json` of `mulberryctl init`";
    RootUnreadable "root-unreadable": "the trusted root cannot be read",
        "give `--root`: the `root.json` of `mulberryctl init`";
    NoToken "no-token": "the server wants a token and none is named",
        "give `--token-file` or MULBERRYCTL_TOKEN; `mulberry-server token add` makes one";
    TokenFile "token-file": "the token's file cannot be read or holds no token",
        "put what `mulberry-server token add` printed into it, on one line";
    TokenInTheClear "token-in-the-clear": "a token would go over plain HTTP to another machine",
        "use `https://`, or a tunnel to loopback";
    BadUrl "bad-url": "an address is no URL that can be used here",
        "write `http(s)://host:port`, without name, password, query or fragment";
    BadPath "bad-path": "a file's name leads out of the origin",
        "treat the origin as hostile; check `--origin`";
    HttpClient "http-client": "HTTP cannot be set up on this machine",
        "check the proxy settings and the system's certificates";
    NoRuntime "no-runtime": "the system gives no event loop",
        "free file descriptors or memory";
    ServerUnreachable "server-unreachable": "the server did not answer; a write may have been carried out all the same",
        "look at `mulberryctl status`; check `--server` and that `mulberry-server` runs";
    AnswerNotUnderstood "answer-not-understood": "what answered is no Mulberry server's operators' interface",
        "check `--server`: it is the operators' address, not the public one";
    ServerInternal "server-internal": "a fault of the server (its `internal`)",
        "read the server's log, then try again";
    ServerUnavailable "server-unavailable": "the server cannot do it now (its `unavailable`)",
        "look at `mulberryctl status`, and try again";
    ServerProblem "server-problem": "the server names a problem that this version does not know",
        "read the sentence; update `mulberryctl`";
    RequestUnwritable "request-unwritable": "the request cannot be written as JSON",
        "report it: it is a fault of this program";
    OriginUnreachable "origin-unreachable": "the origin did not give a file",
        "check `--origin` and that the server runs; try again";
    NoRecipe "no-recipe": "there is no `recipe.toml` in the folder named",
        "name a recipe's folder, such as `recipes/SLUG`";
    RecipeUnreadable "recipe-unreadable": "a recipe cannot be read",
        "check its path and its permissions; it must be UTF-8";
    RecipeInvalid "recipe-invalid": "a recipe has problems; the sentence has each on a line",
        "correct them until `mulberryctl recipe check` is content";
    RecipeExpired "recipe-expired": "a recipe to publish has expired, so that no agent would apply it",
        "give it a later `expires`";
    RevisionNotRaised "revision-not-raised": "a changed recipe has a revision that is published with other content",
        "raise `revision` to the number that is named";
    SeveralRecipes "several-recipes": "there are several recipes where one is wanted",
        "name one of them";
    SeveralLanes "several-lanes": "what is named lies in both lanes, and each has its own keys",
        "publish one lane after the other, the emergency lane first";
    SlugTwice "slug-twice": "two recipes to publish have one slug",
        "rename one of them, or name only one";
    Slug "slug": "what is given for a new recipe is no slug",
        "use 1 to 64 of a-z, 0-9 and `-`, not beginning with `-`";
    NothingChanges "nothing-changes": "everything named is published already, revision and content",
        "nothing; to sign a lane again use `mulberryctl publish --renew LANE`";
    NobodyToAsk "nobody-to-ask": "a confirmation is needed and there is no terminal",
        "read what would be published, then add `--yes`";
    NotConfirmed "not-confirmed": "the answer was not `yes`",
        "nothing was published; run it again to be asked again";
    NoReason "no-reason": "a gate is set without a reason",
        "say why with `--reason`";
    NoAction "no-action": "a new recipe has neither certificate nor action",
        "give `--certificate` or `--action`";
    NoCertificate "no-certificate": "the action of a new recipe needs a certificate",
        "give `--certificate`";
    CertificateUnused "certificate-unused": "the action of a new recipe takes no certificate",
        "leave `--certificate` out, or choose another `--action`";
    CertificateUnreadable "certificate-unreadable": "a certificate's file cannot be read, or holds none",
        "give PEM or DER; look with `openssl x509 -in FILE -noout -text`";
    CertificateMalformed "certificate-malformed": "a file given as a certificate is none that can be read",
        "look at it with `openssl x509 -in FILE -noout -text`";
    PrivateKey "private-key": "a private key was given where a certificate belongs",
        "give the certificate alone; treat the key as possibly seen by others";
    AddonsUnreadable "addons-unreadable": "a path named as add-ons cannot be read",
        "check `--addons`";
    NoAddons "no-addons": "there is no add-on where one was looked for",
        "give `--addons` files, or folders of `.xpi` and `.zip` files";
    TooManyAddons "too-many-addons": "there are more add-ons than one preflight takes",
        "name a part of them with `--addons`";
    PreflightFailed "preflight-failed": "the last preflight of a recipe failed, and none has passed since",
        "correct the recipe and run `mulberryctl preflight`; `--despite-preflight TEXT` where you know better";
    TooManyTimes "too-many-times": "more times are named than one preflight judges at",
        "run it again for the others";
    ExpectDisabled "expect-disabled": "`--expect-disabled` is given for a recipe that may disable nothing",
        "leave it out";
    KeyUnreadable "key-unreadable": "a key's file cannot be read",
        "check its path and its owner";
    KeyPermissions "key-permissions": "a file with a key, a passphrase, a PIN or a token can be read by others",
        "`chmod 600` it, and think about who may have read it";
    KeyMalformed "key-malformed": "a key's file is damaged",
        "restore it from its backup";
    NotAKey "not-a-key": "a file given as a key holds something else",
        "give the private key that `mulberryctl init` made";
    KeyUnsupported "key-unsupported": "a key is of a kind that cannot sign here",
        "give the Ed25519 key that `mulberryctl init` made";
    KeyCost "key-cost": "opening a key would take more memory or time than a sane key file does",
        "restore it from its backup";
    PassphraseNeeded "passphrase-needed": "a key is encrypted and no passphrase is given",
        "give `--passphrase-file`, or run it on a terminal";
    WrongPassphrase "wrong-passphrase": "no passphrase that was given opens a key",
        "try again, or give the right `--passphrase-file`";
    KeyUnwritable "key-unwritable": "a new key cannot be written",
        "name a folder that you may write to; keys are never overwritten";
    TokenUri "token-uri": "what is given as a key on a token is no PKCS#11 URI of one",
        "write it as the message shows";
    TokenModule "token-module": "a token, or its maker's module, cannot be used",
        "check module-path, and that the token is plugged in";
    TokenAbsent "token-absent": "not exactly one token fits",
        "plug it in, or name it by token or serial";
    TokenPin "token-pin": "the PIN of a token is missing, wrong or locked",
        "give the right one: tokens lock after a few wrong ones";
    TokenKey "token-key": "a token holds no key that fits, several, or one of another kind",
        "name an ECDSA P-256 key by object or id";
    OneKeyOneRole "one-key-one-role": "`--from` is given for several roles, or for none by name",
        "give exactly one `--role`; a key counts in one role";
    KeyTwice "key-twice": "one key is given twice, and one key signs once",
        "give another person's key";
    KeyOfAnotherRole "key-of-another-role": "a key belongs to another role, or to none",
        "give the key of the lane: `people/NAME/LANE.pem`";
    PassphraseCount "passphrase-count": "the number of passphrases fits neither one for all nor one for each person",
        "give one `--passphrase-file`, or one for each person in the same order";
    PassphraseFile "passphrase-file": "the file of a passphrase or PIN cannot be read or holds none",
        "put the passphrase or PIN on its first line";
    NoPassphraseSource "no-passphrase-source": "new keys need a passphrase and nobody can be asked for one",
        "give `--passphrase-file`, a terminal, or `--no-passphrase` for a rehearsal";
    NoRandomNumbers "no-random-numbers": "the system gives no random numbers",
        "make no keys on this machine";
    TooManyPeople "too-many-people": "more people are named than hold keys",
        "name fewer with `--person`";
    PersonName "person-name": "a name is no person's: people read it before they sign, so it has one closed alphabet",
        "use letters, digits, `.`, `_` and `-`, beginning with a letter or digit; `mulberryctl root rename` replaces an old one";
    PersonTwice "person-twice": "a person is named twice, by names that look alike, or by two keys: one could reach a threshold alone",
        "name each person once, and give another person's key";
    Threshold "threshold": "the threshold cannot be met by the people named",
        "choose 1 to their number; 2 of 3 is usual";
    NotEmpty "not-empty": "the folder for new keys is not empty or cannot be looked into",
        "name a folder that does not exist yet";
    Unwritable "unwritable": "a file or folder cannot be written",
        "name a folder that you may write to";
    FileExists "file-exists": "the file to write is there already",
        "name another one, or say `--replace`";
    FileUnwritable "file-unwritable": "a file or standard output cannot be written",
        "name a place that you may write to and that has room";
    NoBundle "no-bundle": "what the origin serves fits in no bundle",
        "read the sentence: a ceiling was reached, or a path is not one of an edition";
    NoSuchProposal "no-such-proposal": "what is named is neither a file nor the beginning of a proposal's id",
        "look at `mulberryctl proposals`; give at least six digits of an id";
    ProposalUnreadable "proposal-unreadable": "a proposal's file cannot be read, or holds none",
        "have it made again with `mulberryctl propose --out`";
    OpeningUnreadable "opening-unreadable": "the file of an opening cannot be read, or holds none",
        "have it made again with `mulberryctl gate open --out`";
    OpeningUnfit "opening-unfit": "an opening is for something else than what is published, or too old",
        "ask who made it; make a new one with `mulberryctl gate open --out`";
    OpenUntil "open-until": "`--open-until` names a time that clients would not keep to, or is left out where people signed an earlier one",
        "name one before the recipe's own end, for recipes with `opens = \"people\"`; `--no-open-until` where it is to last";
    NotOvertaken "not-overtaken": "a proposal to rebase can still be signed as it is",
        "sign it; to change it use `mulberryctl propose --replace`";
    NoEdition "no-edition": "a file to sign carries no edition to compare it with",
        "name an origin with `--origin`";
    EditionRefused "edition-refused": "the edition in a file to sign does not verify from this machine's root",
        "check `--root`; ask who made the file; use `--origin`";
    EditionUnreadable "edition-unreadable": "what is named as a mirror is neither a folder of one nor a bundle",
        "name a mirror's folder, or a file of `mulberryctl bundle`";
    LedgerUnreadable "ledger-unreadable": "an export of a ledger cannot be read, or a newer program wrote it",
        "have it made again with `mulberryctl ledger export`";
    LedgerRefused "ledger-refused": "an export of a ledger is damaged or was altered",
        "use another export; `mulberryctl ledger verify` says where";
    NoLink "no-link": "a mirror's timestamp names no link of a ledger",
        "nothing: no agent watches that ledger";
    ContinuationUnreadable "continuation-unreadable": "a file is nothing that people sign when a server was lost, or its reason is no line",
        "have it made with `mulberryctl ledger continue`";
    BundleFaulty "bundle-faulty": "the bundle does not read back as what the origin gave",
        "try again; report it if it stays: nothing was written";
    RootsDoNotFollow "roots-do-not-follow": "a client with an older root could not import the bundle",
        "have the origin serve every root from the first on";
    LocksOut "locks-out": "after the change nobody could sign for a role any more",
        "add a person's key first, or lower the threshold";
    OnePersonAlone "one-person-alone": "after the change one person alone could sign where two had to",
        "if that is meant, say `--accept one-person-alone`";
    NobodyOfThatName "nobody-of-that-name": "nobody of that name, and no such key, signs for the role",
        "look at the names in the sentence";
    CeremonyRefused "ceremony-refused": "a change of keys is none that can be made",
        "read the sentence";
    PublicKeysUnreadable "public-keys-unreadable": "a file of public keys cannot be read, or holds others than are wanted",
        "give what `mulberryctl key new` or `mulberry-server keys new` wrote";
    Internal "internal": "a fault of this program",
        "report it with the command that led to it";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_s_problem_keeps_its_name_but_for_three_that_say_whose_fault_it_is() {
        for kind in ProblemKind::ALL {
            let name = serde_json::to_value(kind).unwrap();
            let name = name.as_str().unwrap();
            let expected = match kind {
                ProblemKind::Internal | ProblemKind::Unavailable => format!("server-{name}"),
                ProblemKind::Unknown => "server-problem".to_owned(),
                _ => name.to_owned(),
            };
            assert_eq!(Kind::from(*kind).as_str(), expected);
        }
    }

    #[test]
    fn every_name_of_this_tool_s_own_is_its_variant_in_kebab_case() {
        for kind in FailureKind::ALL {
            let mut kebab = String::new();
            for letter in format!("{kind:?}").chars() {
                if letter.is_ascii_uppercase() && !kebab.is_empty() {
                    kebab.push('-');
                }
                kebab.push(letter.to_ascii_lowercase());
            }
            assert_eq!(kind.as_str(), kebab);
        }
    }
}
