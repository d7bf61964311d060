//! `root`, `lanes`, `online-keys`, `key`: who may sign.

use super::Init;
use crate::keys::Algorithm;
use clap::{Args, Subcommand, ValueEnum};
use mulberry_shared::proposal::Role;
use std::path::PathBuf;

/// The roles that people sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Says which keys count
    Root,
    /// Says whose the lanes are
    Targets,
    /// The big red button
    Emergency,
    /// Everything that can wait
    Routine,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Root => Self::Root,
            RoleName::Targets => Self::Targets,
            RoleName::Emergency => Self::Emergency,
            RoleName::Routine => Self::Routine,
        }
    }
}

/// A dangerous choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Accept {
    /// From now on one person alone may sign, where two had to
    OnePersonAlone,
}

/// What all ceremonies take.
#[derive(Args, Debug)]
pub struct Held {
    /// Your own key of a role that must sign, a file or a PKCS#11 URI, to sign right away; repeats
    #[arg(long, value_name = "KEY")]
    pub key: Vec<PathBuf>,
    /// Write it into a file, with the edition it was made on, and tell the server nothing
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Make it on the edition in a mirror's folder or in a bundle, where the server and its origin are gone [default: the origin]
    #[arg(long, value_name = "PATH", requires = "out")]
    pub from: Option<PathBuf>,
    /// Do what is refused otherwise
    #[arg(long, value_enum)]
    pub accept: Option<Accept>,
    /// Do not ask; needed where there is no terminal to ask at
    #[arg(long)]
    pub yes: bool,
}

/// `root …`
#[derive(Debug, Subcommand)]
pub enum RootCommand {
    /// Make keys, the TUF root and the first metadata in an empty folder: the same as `mulberryctl init`
    Init(Init),
    /// One more person may sign
    #[command(after_help = "FILE is what `mulberryctl key new` made for them.\n\n\
                      Example:\n  mulberryctl root add-key dora.public --role root --role targets --key alice/root.pem")]
    AddKey(AddKey),
    /// A person's key may not sign any more: it was lost or stolen, or they left
    #[command(
        after_help = "What the key signed that is still published is signed anew in the same step.\n\n\
                      Example:\n  mulberryctl root revoke-key alice --role root --role targets --role emergency --role routine"
    )]
    RevokeKey(RevokeKey),
    /// How many people must sign
    #[command(after_help = "Example:\n  mulberryctl root threshold 3 --role root")]
    Threshold(Threshold),
    /// A person's new key takes the place of their old one
    #[command(after_help = "FILE is what `mulberryctl key new` made for them.\n\n\
                      Example:\n  mulberryctl root rotate alice.public --role root --role targets")]
    Rotate(AddKey),
    /// People get other names: one that is no longer allowed, or that looks like another's
    #[command(
        after_help = "The keys stay, and so does everything that they signed. WHO is a name as it is recorded, for all of that \
                      person's keys; where it cannot be typed, the first digits of a key's fingerprint, for that key.\n\n\
                      Example:\n  mulberryctl root rename 'Mei Lin=mei-lin' --key alice/root.pem --key alice/targets.pem\n  \
                      mulberryctl root rename 3f2a9c01d4e5b6a7=carol 99b1c2d3e4f5a6b7=carol"
    )]
    Rename(Rename),
    /// Sign root or targets anew before they expire
    #[command(
        after_help = "A lane is renewed with `mulberryctl publish --renew LANE` or `propose --renew LANE`.\n\n\
                      Example:\n  mulberryctl root renew --key alice/root.pem\n  \
                      mulberryctl root renew --role root --role targets"
    )]
    Renew(Renew),
}

/// `lanes …`
#[derive(Debug, Subcommand)]
pub enum LanesCommand {
    /// One more person may sign
    #[command(after_help = "Example:\n  mulberryctl lanes add-key dora.public --key alice/targets.pem")]
    AddKey(AddKey),
    /// A person's key may not sign any more: it was lost or stolen, or they left
    #[command(
        after_help = "A lane that would not verify any more is signed anew in the same step, by the people who stay.\n\n\
                      Example:\n  mulberryctl lanes revoke-key alice --role emergency"
    )]
    RevokeKey(RevokeKey),
    /// How many people must sign
    #[command(after_help = "Example:\n  mulberryctl lanes threshold 3 --role emergency")]
    Threshold(Threshold),
    /// A person's new key takes the place of their old one
    #[command(after_help = "Example:\n  mulberryctl lanes rotate alice.public")]
    Rotate(AddKey),
}

/// `… add-key`, `… rotate`
#[derive(Args, Debug)]
pub struct AddKey {
    /// The person's public keys
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// For which role; repeats [default: root, of `lanes` both lanes]
    #[arg(long, value_enum)]
    pub role: Vec<RoleName>,
    /// How
    #[command(flatten)]
    pub held: Held,
}

/// `… revoke-key`
#[derive(Args, Debug)]
pub struct RevokeKey {
    /// The person, or the first 8 or more digits of the key's fingerprint
    #[arg(value_name = "PERSON")]
    pub who: String,
    /// For which role; repeats [default: root, of `lanes` both lanes]
    #[arg(long, value_enum)]
    pub role: Vec<RoleName>,
    /// How
    #[command(flatten)]
    pub held: Held,
}

/// `… threshold`
#[derive(Args, Debug)]
pub struct Threshold {
    /// How many people must sign
    #[arg(value_name = "K")]
    pub threshold: u32,
    /// For which role; repeats [default: root, of `lanes` both lanes]
    #[arg(long, value_enum)]
    pub role: Vec<RoleName>,
    /// How
    #[command(flatten)]
    pub held: Held,
}

/// `root rename`
#[derive(Args, Debug)]
pub struct Rename {
    /// Who, and the new name; repeats
    #[arg(value_name = "WHO=NAME", required = true)]
    pub names: Vec<String>,
    /// How
    #[command(flatten)]
    pub held: Held,
}

/// `root renew`
#[derive(Args, Debug)]
pub struct Renew {
    /// root or targets; repeats [default: root]
    #[arg(long, value_enum)]
    pub role: Vec<RoleName>,
    /// How
    #[command(flatten)]
    pub held: Held,
}

/// `online-keys …`
#[derive(Debug, Subcommand)]
pub enum OnlineKeysCommand {
    /// The server signs with its new keys from now on, and with no other
    #[command(
        after_help = "FILE is what `mulberry-server keys new` wrote. Root and targets change together; agents follow without \
                      reinstalling, whatever a thief of the old keys had them believe.\n\n\
                      Example:\n  mulberryctl online-keys rotate server.keys --key alice/root.pem --key alice/targets.pem"
    )]
    Rotate {
        /// The server's new public keys
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// How
        #[command(flatten)]
        held: Held,
    },
}

/// `key …`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a person's own new keys, and a file of their public halves to send to whoever proposes
    #[command(after_help = "The private halves stay in DIR. PERSON.public in it is no secret.\n\n\
                      Example:\n  mulberryctl key new dora --person dora\n  \
                      mulberryctl key new alice-new --person alice --role emergency\n  \
                      mulberryctl key new dora --person dora --role root \\\n    \
                      --from 'pkcs11:token=Root%20HSM;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so'")]
    New(KeyNew),
}

/// `key new`
#[derive(Args, Debug)]
pub struct KeyNew {
    /// The folder to make; must be empty or absent
    pub dir: PathBuf,
    /// Whose they are, as it will stand in the metadata
    #[arg(long, value_name = "NAME")]
    pub person: String,
    /// A key for which role; repeats [default: one for each]
    #[arg(long, value_enum)]
    pub role: Vec<RoleName>,
    /// What kind of keys
    #[arg(long, value_enum, default_value = "ed25519", conflicts_with = "from")]
    pub algorithm: Algorithm,
    /// No new key, but one that is there: a PKCS#11 URI of a P-256 key on a token, or a file; with one --role
    #[arg(long, value_name = "KEY")]
    pub from: Option<PathBuf>,
    /// Leave the keys unencrypted: rehearsals only
    #[arg(long)]
    pub no_passphrase: bool,
}
