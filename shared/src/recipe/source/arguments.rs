//! The action and its arguments; certificates come from files beside the recipe.

use super::super::{Action, DistrustEntry, WhichAddons};
use super::SourceProblemKind as Kind;
use super::reader::{Need, Reader, Section};
use crate::digest::Sha256Digest;
use crate::limits::{Limits, RecipeLimits};
use crate::nearest::{listed, nearest};
use crate::quoted::quoted;
use crate::x509::{Certificate, CertificateErrorKind, Purpose};

type Files<'a> = dyn FnMut(&str) -> Result<Vec<u8>, String> + 'a;

/// The action's name, if it is a known one.
pub(super) fn name(reader: &mut Reader<'_>, top: &mut Section<'_>) -> Option<&'static str> {
    let text = top.text(reader, "action", Need::Required)?;
    let known = Action::NAMES.into_iter().find(|name| *name == text);
    if known.is_none() {
        let remedy = match nearest(text, &Action::NAMES) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("write {}", listed(&Action::NAMES)),
        };
        top.problem(reader, "action", Kind::UnknownValue, &format!("{} is not known", quoted(text)), &remedy);
    }
    known
}

/// The action called `name`, one of [`Action::NAMES`].
pub(super) fn action(
    reader: &mut Reader<'_>,
    name: &str,
    section: &mut Section<'_>,
    files: &mut Files<'_>,
    limits: &Limits,
) -> Option<Action> {
    let action = match name {
        "install-certificates" => {
            if !section.has("certificates") {
                missing(reader, section);
            }
            let certificates = certificates(reader, section, Purpose::Install, files, limits);
            certificates.map(|certificates| Action::InstallCertificates { certificates })
        }
        "reverify-addons" => {
            let choices = WhichAddons::ALL.map(|which| (which.as_str(), which));
            let which = section.choice(reader, "addons", Need::Required, &choices);
            which.map(|which| Action::ReverifyAddons { which })
        }
        "hold-verification" => {
            section.time(reader, "until", Need::Required).map(|until| Action::HoldVerification { until })
        }
        "distrust-certificates" => distrust(reader, section, files, limits),
        _ => None,
    };
    section.finish(reader);
    action
}

fn missing(reader: &mut Reader<'_>, section: &Section<'_>) {
    let remedy = "name the PEM files beside recipe.toml: certificates = [\"replacement.pem\"]";
    section.problem(reader, "certificates", Kind::MissingKey, "is missing", remedy);
}

/// How source names what is distrusted about a certificate.
#[derive(Clone, Copy)]
enum By {
    Key,
    IssuerAndSerial,
}

fn distrust(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    files: &mut Files<'_>,
    limits: &Limits,
) -> Option<Action> {
    let certificates = certificates(reader, section, Purpose::Distrust, files, limits);
    let need = if section.has("certificates") { Need::Required } else { Need::Optional };
    let by =
        section.choice(reader, "by", need, &[("key", By::Key), ("issuer-and-serial", By::IssuerAndSerial)]);
    let keys = keys(reader, section, &limits.recipe);
    if !section.has("certificates") && !section.has("spki_sha256") {
        missing(reader, section);
    }
    let mut entries = Vec::new();
    for certificate in certificates? {
        entries.push(match by? {
            By::Key => DistrustEntry::Spki(certificate.spki_sha256()),
            By::IssuerAndSerial => DistrustEntry::IssuerSerial {
                issuer: certificate.issuer_der().to_vec(),
                serial: certificate.serial().to_vec(),
            },
        });
    }
    entries.extend(keys?.into_iter().map(DistrustEntry::Spki));
    Some(Action::DistrustCertificates { by: entries })
}

/// The digests of `spki_sha256`; none where the key is absent.
fn keys(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    limits: &RecipeLimits,
) -> Option<Vec<Sha256Digest>> {
    let words = section.words(reader, "spki_sha256", limits);
    if words.is_none() && section.has("spki_sha256") {
        return None;
    }
    let mut digests = Some(Vec::new());
    for word in words.into_iter().flatten() {
        match word.parse() {
            Ok(digest) => {
                if let Some(list) = &mut digests {
                    list.push(digest);
                }
            }
            Err(error) => {
                let remedy = "write the SHA-256 of the key's SubjectPublicKeyInfo in DER";
                section.problem(reader, "spki_sha256", Kind::BadValue, &format!("{word:?}: {error}"), remedy);
                digests = None;
            }
        }
    }
    digests
}

/// The certificates in the files that `certificates` names; none where the key is absent. `None`: a problem was found.
fn certificates(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    purpose: Purpose,
    files: &mut Files<'_>,
    limits: &Limits,
) -> Option<Vec<Certificate>> {
    let names = section.words(reader, "certificates", &limits.recipe);
    if names.is_none() && section.has("certificates") {
        return None;
    }
    let most = limits.recipe.certificates;
    if let Some(count) = names.as_ref().map(Vec::len).filter(|count| *count > most) {
        // Before any file is read. The number of certificates in the files is the rules' concern.
        section.problem(
            reader,
            "certificates",
            Kind::TooLarge,
            &format!("{count} files, more than {most}"),
            "split the recipe",
        );
        return None;
    }
    let mut all = Some(Vec::new());
    for name in names.into_iter().flatten() {
        match read_file(&name, purpose, files, limits) {
            Ok(found) => {
                if let Some(list) = &mut all {
                    list.extend(found);
                }
            }
            Err((kind, what, remedy)) => {
                section.problem(reader, "certificates", kind, &format!("{name}: {what}"), remedy);
                all = None;
            }
        }
    }
    all
}

fn read_file(
    name: &str,
    purpose: Purpose,
    files: &mut Files<'_>,
    limits: &Limits,
) -> Result<Vec<Certificate>, (Kind, String, &'static str)> {
    if name.contains(['/', '\\', ':']) || name.starts_with('.') {
        let remedy = "put the file beside recipe.toml and give its bare name";
        return Err((Kind::BadFile, "is not the name of a file beside recipe.toml".to_owned(), remedy));
    }
    let bytes = files(name)
        .map_err(|why| (Kind::BadFile, why, "put the PEM file beside recipe.toml, or correct its name"))?;
    if bytes.len() > limits.recipe.file {
        let what = format!("{} bytes, more than {}", bytes.len(), limits.recipe.file);
        return Err((Kind::TooLarge, what, "give a file with nothing but the certificate"));
    }
    Certificate::read_file(&bytes, purpose, &limits.x509).map_err(|error| {
        let remedy = match error.kind {
            CertificateErrorKind::PrivateKey => {
                "give the certificate alone; treat a key that lay here as possibly seen by others"
            }
            CertificateErrorKind::NotPem => "give a certificate in PEM or DER, or an authority's .p7b",
            CertificateErrorKind::Several => "give a file with the certificate that is meant",
            _ => "check what it is with: openssl x509 -in FILE -noout -text",
        };
        (Kind::BadFile, error.to_string(), remedy)
    })
}
