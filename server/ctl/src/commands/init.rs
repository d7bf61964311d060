//! `mulberryctl init DIR`: keys for people and for the server, the TUF root, and the first, empty lanes.
//!
//! Everything is made and checked in a folder inside DIR and moved into place at the end, `mulberryctl.toml` last: an
//! interrupted run leaves nothing that looks finished.

use crate::{
    arguments::person,
    config::FILE_NAME,
    context::CommandContext,
    failure::{Failure, FailureKind},
    files::{self, Readers},
    http::{Endpoint, Purpose},
    keys::{
        self, Protection,
        folder::{self, unwritable},
    },
    output,
};
use clap::Args;
use mulberry_shared::{
    digest::Sha256Digest,
    edition::write::{self, Holders, LaneDraft, LaneHolders, Life, Published, RootHolders},
    exit::Exit,
    recipe::Lane,
    tuf::{Ed25519Signer, Person, Signer, TrustError, Verified, metadata, verify},
};
use std::path::{Path, PathBuf};

/// The roles that people hold, in the order of DESIGN section 3.
const PEOPLE_ROLES: [&str; 4] = ["root", "targets", "emergency", "routine"];
/// The roles that the server holds.
const SERVER_ROLES: [&str; 3] = ["snapshot", "timestamp", "gates"];
/// People who may hold keys: more would make a signature a poll, and every one costs key derivations.
const MAX_PEOPLE: usize = 32;

/// `init`
#[derive(Args, Debug)]
#[command(
    after_help = "Each person gets four keys: root, targets, emergency, routine. K of the people must sign each of them.\n\
                  --server and --origin are written into DIR/mulberryctl.toml.\n\n\
                  Example:\n  mulberryctl init authority --person alice --person bob --person carol\n  \
                  mulberryctl init /tmp/rehearsal --no-passphrase"
)]
pub struct Init {
    /// The folder to make; must be empty or absent
    pub dir: PathBuf,
    /// A person who holds keys; repeats [default: person-1, person-2, person-3]
    #[arg(long, value_name = "NAME")]
    pub person: Vec<String>,
    /// How many people must sign
    #[arg(long, value_name = "K", default_value_t = 2)]
    pub threshold: u64,
    /// Leave people's keys unencrypted: rehearsals only
    #[arg(long)]
    pub no_passphrase: bool,
}

impl Init {
    /// Makes the folder.
    ///
    /// # Errors
    /// DIR is not empty, people or threshold are impossible, no passphrase, or the disk refuses.
    pub fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let passphrases = context.passphrases()?;
        let people = people(&self.person)?;
        let threshold = threshold(self.threshold, people.len())?;
        let settings = context.settings_without_file();
        let (server, origin) = (settings.server.value, settings.origin.value);
        Endpoint::new(&server, Purpose::Token)?;
        Endpoint::new(&origin, Purpose::PublicDocuments)?;
        let folder = &self.dir;
        folder::refuse_non_empty(folder)?;

        let mut protections = Vec::new();
        for (index, person) in people.iter().enumerate() {
            protections.push(if self.no_passphrase {
                Protection::FilePermissionsOnly
            } else {
                Protection::Passphrase(passphrases.for_new_keys(index, people.len(), person.as_str())?)
            });
        }
        if threshold == 1 {
            output::warn("--threshold 1: one person alone, or whoever steals one key, can publish.");
        }
        if self.no_passphrase {
            output::warn("people's keys are written unencrypted (--no-passphrase): for rehearsals only.");
        }

        files::private_folder(folder).map_err(|error| unwritable(folder, &error))?;
        let staging = tempfile::Builder::new()
            .prefix(".mulberryctl-init-")
            .tempdir_in(folder)
            .map_err(|error| unwritable(folder, &error.kind().into()))?;
        output::progress(&format!("Making {} keys", people.len() * PEOPLE_ROLES.len() + SERVER_ROLES.len()));
        let root = fill(staging.path(), &people, &protections, threshold, context)?;
        let toml = format!(
            "# Written by mulberryctl init. Paths are relative to this file.\n\
             server = {server:?}\norigin = {origin:?}\nroot = \"root.json\"\n\
             # What `mulberry-server token add` printed.\ntoken_file = \"token\"\n"
        );
        write(&staging.path().join(FILE_NAME), toml.as_bytes(), Readers::All)?;
        for name in ["people", "server", "root.json", FILE_NAME] {
            let to = folder.join(name);
            std::fs::rename(staging.path().join(name), &to).map_err(|error| unwritable(&to, &error))?;
        }
        context.format.print(
            || words(folder, &people, threshold, self.no_passphrase, &root),
            || json(folder, &people, threshold, &root),
        )?;
        Ok(Exit::Yes)
    }
}

fn people(named: &[String]) -> Result<Vec<Person>, Failure> {
    if named.is_empty() {
        return (1..=3).map(|number| person(&format!("person-{number}"))).collect();
    }
    if named.len() > MAX_PEOPLE {
        return Err(Failure::usage(
            FailureKind::TooManyPeople,
            format!("{} people: at most {MAX_PEOPLE} hold keys.", named.len()),
        ));
    }
    let mut seen: Vec<Person> = Vec::new();
    for name in named {
        let person = person(name)?;
        if let Some(other) = seen.iter().find(|other| other.folded() == person.folded()) {
            let what = if other == &person {
                "is named twice".to_owned()
            } else {
                format!("looks like {other}, so nobody could tell whether they are two people")
            };
            return Err(Failure::usage(
                FailureKind::PersonTwice,
                format!(
                    "--person {person} {what}. Two keys of one person would let one person reach the threshold alone."
                ),
            ));
        }
        seen.push(person);
    }
    Ok(seen)
}

fn threshold(wanted: u64, people: usize) -> Result<u32, Failure> {
    u32::try_from(wanted).ok().filter(|wanted| (1..=people).contains(&(*wanted as usize))).ok_or_else(|| {
        Failure::usage(
            FailureKind::Threshold,
            format!("--threshold {wanted} of {people} people is impossible: choose 1 to {people}; 2 of 3 is the usual choice."),
        )
    })
}

/// The signers of one role, one for each person.
type Signers = Vec<Ed25519Signer>;

fn fill(
    at: &Path,
    people: &[Person],
    protections: &[Protection],
    threshold: u32,
    context: &CommandContext,
) -> Result<Vec<u8>, Failure> {
    let now = context.now;
    let mut by_role: [Signers; 4] = Default::default();
    for (person, protection) in people.iter().zip(protections) {
        let own = at.join("people").join(person.as_str());
        folder::make(&own)?;
        for (role, signers) in PEOPLE_ROLES.iter().zip(&mut by_role) {
            signers.push(new_signer(&own.join(format!("{role}.pem")), protection)?.held_by(person));
        }
    }
    let keys = at.join("server").join("keys");
    folder::make(&keys)?;
    let mut online = Signers::new();
    for role in SERVER_ROLES {
        online.push(new_signer(&keys.join(format!("{role}.pem")), &Protection::FilePermissionsOnly)?);
    }
    let [root_signers, targets_signers, emergency, routine] = &by_role;
    let [snapshot, timestamp, gates] = online.as_slice() else {
        return Err(Failure::usage(FailureKind::Internal, "The server's keys were not made."));
    };

    let holders =
        |signers: &Signers| Holders { keys: signers.iter().map(|s| s.key().clone()).collect(), threshold };
    let one = |signer: &Ed25519Signer| Holders::one(signer.key());
    let year = Life::Offline.from(now);
    let root = write::root(
        1,
        year,
        &RootHolders {
            root: holders(root_signers),
            targets: holders(targets_signers),
            snapshot: one(snapshot),
            timestamp: one(timestamp),
        },
    );
    let lanes = LaneHolders { emergency: holders(emergency), routine: holders(routine), gates: one(gates) };
    let root = sign(&root, root_signers)?;
    let targets = sign(&write::targets(1, year, &lanes), targets_signers)?;
    let lane = |lane, signers| -> Result<Vec<u8>, Failure> {
        sign(&LaneDraft::new(lane, None).build(now).map_err(faulty)?, signers)
    };
    let (emergency, routine) = (lane(Lane::Emergency, emergency)?, lane(Lane::Routine, routine)?);
    prove(&root, &targets, [&emergency, &routine], context).map_err(faulty)?;

    let metadata = at.join("server").join("metadata");
    folder::make(&metadata)?;
    for (role, bytes) in
        [("root", &root), ("targets", &targets), ("emergency", &emergency), ("routine", &routine)]
    {
        write(&metadata.join(format!("1.{role}.json")), bytes, Readers::All)?;
    }
    write(&at.join("root.json"), &root, Readers::All)?;
    Ok(root)
}

/// Reads back what was signed, as any client will.
fn prove(
    root: &[u8],
    targets: &[u8],
    lanes: [&Vec<u8>; 2],
    context: &CommandContext,
) -> Result<(), TrustError> {
    let root = verify::pinned_root(root, &context.limits)?;
    let targets: Verified<metadata::Targets> = verify::top_level(&root, targets, &context.limits)?;
    for (lane, bytes) in Lane::ALL.into_iter().zip(lanes) {
        let nothing = Published { targets: &targets, current: None, other_lanes: &[] };
        write::verify_lane(nothing, lane, bytes, &[], context.now, &context.limits)?;
    }
    Ok(())
}

fn new_signer(path: &Path, protection: &Protection) -> Result<Ed25519Signer, Failure> {
    keys::make_ed25519(path, protection)
}

fn sign<T: metadata::Body>(body: &T, signers: &Signers) -> Result<Vec<u8>, Failure> {
    let signers: Vec<&dyn Signer> = signers.iter().map(|signer| signer as &dyn Signer).collect();
    write::sign(body, &signers).map_err(faulty)
}

fn faulty(error: TrustError) -> Failure {
    Failure::refused(error.kind, format!("What was made does not verify, so nothing was kept: {error}"))
}

fn write(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), Failure> {
    files::write_new(path, bytes, readers).map_err(|error| unwritable(path, &error))
}

fn words(folder: &Path, people: &[Person], threshold: u32, plain: bool, root: &[u8]) -> String {
    let at = folder.display();
    let private = if plain { "their private keys, NOT encrypted" } else { "their private keys, encrypted" };
    let rows = people
        .iter()
        .map(|person| [format!("{at}/people/{person}/"), format!("{person} alone"), private.to_owned()]);
    let rows = rows.chain([
        [
            format!("{at}/server/"),
            "the server alone".to_owned(),
            "first metadata and online keys, not encrypted".to_owned(),
        ],
        [format!("{at}/root.json"), "every agent".to_owned(), "whom to believe; public".to_owned()],
        [format!("{at}/{FILE_NAME}"), "people".to_owned(), "settings of this tool; public".to_owned()],
    ]);
    format!(
        "Made the authority of {} people; {threshold} of them must sign.\n\n{}\n\n\
         root.json has SHA-256 {}: compare it by another way than the one it travels.\n\
         Move each person's folder to that person and delete it here. Root and targets last 1 year, lanes 90 days.\n\n\
         Next:\n  mulberry-server init --from {at}/server --state STATE\n  \
         mulberry-server token add NAME --person PERSON --may publish --may gate --may read --state STATE --out {at}/token\n  \
         mulberry-server run --state STATE\n  \
         cd {at} && mulberryctl status",
        people.len(),
        output::table(["WHAT", "FOR", "HOLDS"], rows),
        Sha256Digest::of(root),
    )
}

fn json(folder: &Path, people: &[Person], threshold: u32, root: &[u8]) -> serde_json::Value {
    let path = |parts: &[&str]| parts.iter().fold(folder.to_owned(), |path: PathBuf, part| path.join(part));
    let people: Vec<_> = people
        .iter()
        .map(|person| {
            let keys = PEOPLE_ROLES.map(|role| (role, path(&["people", person.as_str(), &format!("{role}.pem")])));
            serde_json::json!({"person": person, "keys": keys.into_iter().collect::<std::collections::BTreeMap<_, _>>()})
        })
        .collect();
    serde_json::json!({
        "people": people,
        "threshold": threshold,
        "root": path(&["root.json"]),
        "root_sha256": Sha256Digest::of(root),
        "server": path(&["server"]),
        "config": path(&[FILE_NAME]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_is_never_two() {
        let names = |list: &[&str]| {
            let named = people(&list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
            Ok::<_, Failure>(named.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap(), ["person-1", "person-2", "person-3"]);
        assert_eq!(names(&["Ada", "Grace"]).unwrap(), ["Ada", "Grace"]);
        for twice in [["ada", "ada"], ["ada", "Ada"], ["person-1", "person-l"]] {
            assert_eq!(names(&twice).unwrap_err().kind, "person-twice");
        }
        for bad in ["", ".", "..", "a/b", "-a", "a b", "é", &"x".repeat(65)] {
            assert_eq!(names(&[bad]).unwrap_err().kind, "person-name", "{bad}");
        }
    }

    #[test]
    fn thresholds_are_possible() {
        assert_eq!(threshold(2, 3).unwrap(), 2);
        assert_eq!(threshold(1, 1).unwrap(), 1);
        for (wanted, people) in [(0, 3), (4, 3), (u64::MAX, 3)] {
            assert_eq!(threshold(wanted, people).unwrap_err().kind, "threshold");
        }
    }
}
