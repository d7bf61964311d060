//! `mulberryctl recipe new`: nothing is written that `recipe check` would refuse.

use super::template::{self, Blanks, short_name};
use crate::{
    arguments::LaneName,
    context::CommandContext,
    failure::{Failure, FailureKind},
    files::{self, Readers},
    output,
    source::FILE_NAME,
};
use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use mulberry_shared::{
    exit::Exit,
    limits::Limits,
    operators::ProblemKind,
    recipe::{ActionKind, Slug, source},
    x509::{Certificate, CertificateErrorKind, Purpose},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// `recipe new`
#[derive(Args, Debug)]
#[command(after_help = "Writes DIR/SLUG/recipe.toml, and the certificates beside it.\n\n\
                  Example:\n  mulberryctl recipe new --certificate replacement.pem\n  \
                  mulberryctl recipe new --action hold-verification --slug hold-the-pass\n  \
                  mulberryctl recipe new --action distrust-certificates --certificate stolen.pem")]
pub struct RecipeNew {
    /// A certificate: PEM, DER, or the .p7b of an authority; repeats
    #[arg(long, value_name = "FILE")]
    pub certificate: Vec<PathBuf>,
    /// What the recipe does [default: install-certificates with --certificate]
    #[arg(long, value_parser = action_kind())]
    pub action: Option<ActionKind>,
    /// The recipe's name in paths and commands [default: made from the action and the certificate]
    #[arg(long)]
    pub slug: Option<String>,
    /// Who must sign it
    #[arg(long, value_enum, default_value_t = LaneName::Emergency)]
    pub lane: LaneName,
    /// The folder of recipes
    #[arg(value_name = "DIR", default_value = "recipes")]
    pub dir: PathBuf,
}

/// The actions that there are, by name.
fn action_kind() -> impl TypedValueParser<Value = ActionKind> {
    let values = ActionKind::ALL.iter().map(|kind| PossibleValue::new(kind.as_str()).help(kind.summary()));
    PossibleValuesParser::new(values).try_map(|name| ActionKind::named(&name).ok_or("no such action"))
}

impl RecipeNew {
    /// Writes the recipe.
    ///
    /// # Errors
    /// No recipe can be made from this, or it cannot be written.
    pub fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let (now, limits) = (context.now, &context.limits);
        let action = action(self)?;
        let certificates = match action.certificates() {
            Some(purpose) => certificates(&self.certificate, purpose, limits)?,
            None => Vec::new(),
        };
        let slug = slug(self, action, &certificates)?;
        let text = template::fill(&Blanks {
            action,
            lane: self.lane,
            slug: slug.as_str(),
            certificates: &certificates,
            now,
        });
        let folder = self.dir.join(slug.as_str());
        let file = folder.join(FILE_NAME);
        let mut beside = |name: &str| {
            let found = certificates.iter().find(|(file, _)| file == name);
            found
                .map(|(_, certificate)| certificate.to_pem().into_bytes())
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
        };
        let recipe =
            source::read(&file.display().to_string(), &text, &mut beside, limits).map_err(|problems| {
                let problems: Vec<String> = problems
                    .problems
                    .iter()
                    .map(|problem| format!("{}; {}", problem.what, problem.remedy))
                    .collect();
                Failure::no(
                    ProblemKind::RecipeRefused,
                    format!("No recipe can be made from this: {}.", problems.join("\n")),
                )
            })?;
        for (_, certificate) in &certificates {
            if certificate.not_after() < now || now < certificate.not_before() {
                output::warn(&format!(
                    "{} is valid {} to {}, not now.",
                    certificate.described(),
                    output::instant(certificate.not_before()),
                    output::instant(certificate.not_after())
                ));
            }
        }
        write(&folder, &text, &certificates)?;
        let at = folder.display();
        context.format.print(
        || {
            format!(
                "Wrote {}: {} revision {}.\n\nNext:\n  edit {}\n  mulberryctl recipe check {at}\n  mulberryctl recipe show {at}\n  \
                 mulberryctl preflight {at} --anchor FILE --addons FOLDER --at \"$(date -u +%FT%TZ)\"\n  \
                 mulberryctl publish {at} --key FILE --key FILE",
                file.display(),
                recipe.path(),
                recipe.revision,
                file.display()
            )
        },
        || serde_json::json!({"file": file, "path": recipe.path(), "revision": recipe.revision}),
    )?;
        Ok(Exit::Yes)
    }
}

fn action(command: &RecipeNew) -> Result<ActionKind, Failure> {
    let action = match (command.action, command.certificate.is_empty()) {
        (Some(action), _) => action,
        (None, false) => ActionKind::InstallCertificates,
        (None, true) => {
            return Err(Failure::usage(
                FailureKind::NoAction,
                "Give --certificate FILE to install it, or --action hold-verification, reverify-addons, or \
                 distrust-certificates (with --certificate).",
            ));
        }
    };
    match (action.certificates().is_some(), command.certificate.is_empty()) {
        (true, true) => Err(Failure::usage(
            FailureKind::NoCertificate,
            format!("--action {} needs --certificate FILE.", action.as_str()),
        )),
        (false, false) => Err(Failure::usage(
            FailureKind::CertificateUnused,
            format!("--action {} takes no --certificate.", action.as_str()),
        )),
        _ => Ok(action),
    }
}

/// Each certificate with the name of its file in the recipe's folder.
fn certificates(
    paths: &[PathBuf],
    purpose: Purpose,
    limits: &Limits,
) -> Result<Vec<(String, Certificate)>, Failure> {
    let mut named: Vec<(String, Certificate)> = Vec::new();
    for path in paths {
        for certificate in read(path, purpose, limits)? {
            if named.iter().any(|(_, known)| *known == certificate) {
                continue;
            }
            let stem = words_of(&short_name(&certificate), 48);
            let stem = if stem.is_empty() { "certificate".to_owned() } else { stem };
            let free = |name: &String| named.iter().all(|(taken, _)| taken != name);
            let names =
                std::iter::once(format!("{stem}.pem")).chain((2u32..).map(|n| format!("{stem}-{n}.pem")));
            if let Some(name) = names.into_iter().find(free) {
                named.push((name, certificate));
            }
        }
    }
    Ok(named)
}

fn read(path: &Path, purpose: Purpose, limits: &Limits) -> Result<Vec<Certificate>, Failure> {
    let fault = |kind, what: String| Failure::usage(kind, format!("{}: {what}", path.display()));
    let max = u64::try_from(limits.recipe.file).unwrap_or(u64::MAX);
    let bytes = files::read_bounded(path, max)
        .map_err(|error| fault(FailureKind::CertificateUnreadable, format!("{error}.")))?;
    Certificate::read_file(&bytes, purpose, &limits.x509).map_err(|error| match error.kind {
        CertificateErrorKind::PrivateKey => fault(
            FailureKind::PrivateKey,
            format!("{error}. Give the certificate alone, and treat a key that lay beside it as possibly seen by others."),
        ),
        // PKCS#8 and PKCS#1 keys are a SEQUENCE that begins with an INTEGER, a certificate one that begins with a SEQUENCE.
        CertificateErrorKind::Malformed | CertificateErrorKind::NotPem if der_begins_with_integer(&bytes) => fault(
            FailureKind::PrivateKey,
            "this is no certificate; it looks like a private key in DER. Give the certificate, and keep the key away from \
             recipes."
                .to_owned(),
        ),
        CertificateErrorKind::Several => fault(FailureKind::CertificateMalformed, format!("{error}.")),
        _ => fault(FailureKind::CertificateMalformed, format!("{error}. Look at it with: openssl x509 -in FILE -noout -text")),
    })
}

fn der_begins_with_integer(bytes: &[u8]) -> bool {
    let content = match bytes {
        [0x30, length, rest @ ..] if *length < 0x80 => Some(rest),
        [0x30, length, rest @ ..] => rest.get(usize::from(length & 0x7f)..),
        _ => None,
    };
    content.and_then(<[u8]>::first) == Some(&0x02)
}

fn slug(
    command: &RecipeNew,
    action: ActionKind,
    certificates: &[(String, Certificate)],
) -> Result<Slug, Failure> {
    let text = match (&command.slug, certificates.first()) {
        (Some(slug), _) => slug.clone(),
        (None, Some((_, certificate))) => {
            let verb = action.as_str().split('-').next().unwrap_or_default();
            let words = words_of(&short_name(certificate), 64 - verb.len() - 1);
            format!("{verb}-{}", if words.is_empty() { "certificate" } else { &words })
        }
        (None, None) => action.as_str().to_owned(),
    };
    text.parse().map_err(|error| Failure::usage(FailureKind::Slug, format!("--slug {text:?}: {error}")))
}

/// A name as lower-case words with hyphens between them, at most `most` characters.
fn words_of(name: &str, most: usize) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("-");
    joined.chars().take(most).collect::<String>().trim_end_matches('-').to_owned()
}

/// The recipe's folder, whole or not at all.
fn write(folder: &Path, text: &str, certificates: &[(String, Certificate)]) -> Result<(), Failure> {
    let files =
        certificates.iter().map(|(name, certificate)| (name.as_str(), certificate.to_pem().into_bytes()));
    let files: Vec<_> = files.chain([(FILE_NAME, text.as_bytes().to_vec())]).collect();
    place(folder, &files, &mut |path, bytes| files::write_new(path, bytes, Readers::All))
}

/// Makes `folder` with `files`; each is written by `write_file`, beside the folder's place.
fn place(
    folder: &Path,
    files: &[(&str, Vec<u8>)],
    write_file: &mut dyn FnMut(&Path, &[u8]) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let fault = |path: &Path, error: std::io::Error| {
        let next = if error.kind() == std::io::ErrorKind::AlreadyExists {
            "Edit the recipe that is there (and raise its revision), or choose another --slug."
        } else {
            "Name a folder that you may write to, on a disk with room."
        };
        Failure::usage(FailureKind::Unwritable, format!("{}: {error}. {next}", path.display()))
    };
    if folder.symlink_metadata().is_ok() {
        return Err(fault(folder, std::io::ErrorKind::AlreadyExists.into()));
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|error| fault(parent, error))?;
    let staging = tempfile::Builder::new()
        .prefix(".mulberryctl-new-")
        .tempdir_in(parent)
        .map_err(|error| fault(parent, error.kind().into()))?;
    // A folder in the temporary one, so that it has the mode that folders usually get.
    let whole = staging.path().join("recipe");
    fs::create_dir(&whole).map_err(|error| fault(folder, error))?;
    for (name, bytes) in files {
        write_file(&whole.join(name), bytes).map_err(|error| fault(&folder.join(name), error))?;
    }
    fs::rename(&whole, folder).map_err(|error| fault(folder, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_slugs() {
        for (name, words) in [
            ("signingca1.addons.mozilla.org", "signingca1-addons-mozilla-org"),
            ("  Größe CA (2019) ", "gr-e-ca-2019"),
            ("---", ""),
            (&"ab ".repeat(40), &"ab-".repeat(40)[..47]),
        ] {
            assert_eq!(words_of(name, 48), words, "{name}");
        }
    }

    #[test]
    fn a_recipe_is_written_whole_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("recipes/fix");
        let files = [("a.pem", b"a".to_vec()), (FILE_NAME, b"b".to_vec())];
        let mut room = 1;
        let full = place(&folder, &files, &mut |path, bytes| {
            if room == 0 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            room -= 1;
            files::write_new(path, bytes, Readers::All)
        });
        assert!(full.unwrap_err().sentence.contains(FILE_NAME));
        assert_eq!(fs::read_dir(root.path().join("recipes")).unwrap().count(), 0, "nothing is left");

        let mut write = |path: &Path, bytes: &[u8]| files::write_new(path, bytes, Readers::All);
        place(&folder, &files, &mut write).unwrap();
        assert_eq!(fs::read(folder.join(FILE_NAME)).unwrap(), b"b");
        let again = place(&folder, &files, &mut write).unwrap_err();
        assert!(again.sentence.contains("--slug"), "{again}");
        assert_eq!(fs::read_dir(root.path().join("recipes")).unwrap().count(), 1);
    }

    #[test]
    fn keys_in_der_are_told_from_certificates() {
        assert!(der_begins_with_integer(&[0x30, 0x2e, 0x02, 0x01, 0x00]));
        assert!(der_begins_with_integer(&[0x30, 0x82, 0x04, 0xbd, 0x02, 0x01, 0x00]));
        for other in
            [&[0x30, 0x82, 0x04, 0xbd, 0x30][..], &[], &[0x30], &[0x30, 0x82], &[0x30, 0xff, 0x02], b"text"]
        {
            assert!(!der_begins_with_integer(other));
        }
    }
}
