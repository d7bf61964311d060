//! The certificates of an action: files beside a recipe's source, Base64 of their DER where it is published.

use jiff::Timestamp;

use crate::limits::{Limits, RecipeLimits};
use crate::recipe::breach::Breach;
use crate::recipe::fields::{FieldFault, from_base64};
use crate::recipe::page::Page;
use crate::recipe::problem_kind::SourceProblemKind as Kind;
use crate::recipe::source::reader::{Files, Reader, Section};
use crate::x509::{Certificate, CertificateErrorKind, Purpose};

/// `1 certificate`, `2 certificates`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The rules on how many entries there are.
pub(super) fn breaches(count: usize, limits: &RecipeLimits) -> Vec<Breach> {
    let most = limits.certificates;
    match count {
        0 => {
            vec![Breach::new("certificates", Kind::EmptyList, "the list is empty", "give at least one entry")]
        }
        n if n > most => vec![Breach::new(
            "certificates",
            Kind::TooLarge,
            format!("{n} entries, more than {most}"),
            "split the recipe",
        )],
        _ => Vec::new(),
    }
}

/// One published certificate.
pub(super) fn certificate(text: &str, limits: &Limits) -> Result<Certificate, FieldFault> {
    Certificate::parse_der(&from_base64(text)?, &limits.x509).map_err(FieldFault::NotACertificate)
}

/// The lines that show one certificate.
pub(super) fn describe(certificate: &Certificate, page: &mut Page, now: Timestamp) {
    let (from, to) = (certificate.not_before(), certificate.not_after());
    let state = if to < now {
        ", EXPIRED"
    } else if now < from {
        ", NOT YET VALID"
    } else {
        ""
    };
    page.outside("", &format!("- {}", certificate.described()));
    page.outside("", &format!("  issued by {}", certificate.issuer()));
    page.line("", &format!("  valid {from} to {to}{state}"));
    page.line("", &format!("  SHA-256 {}", certificate.sha256()));
}

/// Reports that the source names no certificates.
pub(super) fn missing(reader: &mut Reader<'_>, section: &Section<'_>) {
    let remedy = "name the PEM files beside recipe.toml: certificates = [\"replacement.pem\"]";
    section.problem(reader, "certificates", Kind::MissingKey, "is missing", remedy);
}

/// The certificates in the files that `certificates` names; none where the key is absent. `None`: a problem was found.
pub(super) fn read_source(
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
    let bytes = files(name).map_err(|why| {
        (Kind::BadFile, why.to_string(), "put the PEM file beside recipe.toml, or correct its name")
    })?;
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
