//! The source form: `recipe.toml`, written by people, with certificate files beside it.
//!
//! Every problem is reported, all at once, each with file, line, key and remedy: whoever writes a recipe at 3 a.m.
//! must not find the mistakes one run at a time.

use toml_edit::Document;

use super::{
    ActionKind, CAPABILITIES, ConsentKind, Lane, Life, OnEnd, Opens, Recipe, Rollout, SCHEMA_VERSION, Slug,
    published, rules,
};
use crate::limits::Limits;
use crate::targeting::{KnownWords, Targeting, doubt, is_country_code, is_language_tag};
use crate::version::Whose;

mod doubts;
mod problem;
pub(super) mod reader;
mod rollout;

pub use super::problem_kind::SourceProblemKind;
pub use doubts::doubts;
pub use problem::{Problem, SourceErrors};
use reader::{Files, Need, Reader, Section};

/// Reads a `recipe.toml`.
///
/// `file_name` is what problems call it. `files` gives the content of a file beside it by its bare name, or says why
/// it cannot; it is never asked for a name with a folder in it.
///
/// # Errors
/// Every problem found.
pub fn read(
    file_name: &str,
    toml_text: &str,
    files: &mut Files<'_>,
    limits: &Limits,
) -> Result<Recipe, SourceErrors> {
    let mut reader = Reader::new(file_name, toml_text);
    if toml_text.len() > limits.recipe.bytes {
        let what = format!("the file has {} bytes, more than {}", toml_text.len(), limits.recipe.bytes);
        reader.problem(None, "recipe.toml", SourceProblemKind::TooLarge, what, "shorten it");
        return Err(reader.into_errors());
    }
    let document = match Document::parse(toml_text) {
        Ok(document) => document,
        Err(error) => {
            let remedy = "correct the syntax (https://toml.io); other problems are looked for after that";
            reader.problem(
                error.span(),
                "recipe.toml",
                SourceProblemKind::Syntax,
                error.message().replace('\n', ", "),
                remedy,
            );
            return Err(reader.into_errors());
        }
    };
    let recipe = recipe(&mut reader, &document, files, limits);
    if let Some(recipe) = &recipe {
        let size = published::write(recipe).len();
        if size > limits.recipe.bytes {
            let what = format!("published, it would have {size} bytes, more than {}", limits.recipe.bytes);
            reader.problem(
                None,
                "recipe.toml",
                SourceProblemKind::TooLarge,
                what,
                "use fewer or smaller certificates",
            );
        }
    }
    match recipe {
        Some(recipe) if reader.is_clean() => Ok(recipe),
        _ => Err(reader.into_errors()),
    }
}

/// The recipe, if nothing that it needs is missing; the reader holds the problems.
fn recipe(
    reader: &mut Reader<'_>,
    document: &Document<&str>,
    files: &mut Files<'_>,
    limits: &Limits,
) -> Option<Recipe> {
    let bounds = &limits.recipe;
    let mut top = Section::root(document.as_table());

    let schema = top.integer(reader, "schema_version", Need::Optional);
    if schema.is_some_and(|version| version != SCHEMA_VERSION) {
        top.problem(
            reader,
            "schema_version",
            SourceProblemKind::UnknownValue,
            "is not known",
            &format!("write {SCHEMA_VERSION}, or leave it out"),
        );
    }
    let slug: Option<Slug> =
        top.parsed(reader, "slug", "choose a short name, such as \"replace-intermediate\"");
    let revision = top.integer(reader, "revision", Need::Required);
    if revision == Some(0) {
        top.problem(
            reader,
            "revision",
            SourceProblemKind::BadValue,
            "is 0",
            "begin at 1 and raise it by 1 with every change",
        );
    }
    let name = top.word(reader, "name", Need::Required, bounds.name);
    let lane: Option<Lane> = top.choice(reader, "lane", Need::Required, &Lane::ALL.map(|v| (v.as_str(), v)));
    let consent = top.choice(reader, "consent", Need::Required, &ConsentKind::ALL.map(|v| (v.as_str(), v)));
    let opens = top.choice(reader, "opens", Need::Optional, &Opens::ALL.map(|v| (v.as_str(), v)));
    let on_end = top.choice(reader, "on_end", Need::Optional, &OnEnd::ALL.map(|v| (v.as_str(), v)));
    let capabilities = top.choices(reader, "capabilities", CAPABILITIES, bounds);
    let starts = top.time(reader, "starts", Need::Optional);
    let expires = top.time(reader, "expires", Need::Required);
    let comment = top.comment(reader, "comment", bounds.comment);

    let kinds: Vec<_> = ActionKind::ALL.iter().map(|kind| (kind.as_str(), *kind)).collect();
    let kind = top.choice(reader, "action", Need::Required, &kinds);
    let mut arguments = top.section(reader, "arguments", Need::Required);
    let action = kind.zip(arguments.as_mut()).and_then(|(kind, arguments)| {
        let action = kind.read_source(reader, arguments, files, limits);
        arguments.finish(reader);
        action
    });
    let targeting = match top.section(reader, "targeting", Need::Optional) {
        Some(mut section) => targeting(reader, &mut section, bounds),
        None => Targeting::default(),
    };
    let rollout = top.section(reader, "rollout", Need::Required).and_then(|mut section| {
        let namespace = section.word(reader, "namespace", Need::Optional, bounds.word);
        let max_percent = section.percent(reader, "max_percent", Need::Required);
        let plan = rollout::plan(reader, &mut section, max_percent, bounds);
        section.finish(reader);
        let namespace = namespace.or_else(|| slug.as_ref().map(|slug| slug.as_str().to_owned()));
        Some(Rollout { namespace: namespace?, max_percent: max_percent?, plan: plan? })
    });
    top.finish(reader);

    // The rules run on whatever could be read, so that they are reported together with the rest.
    let life = Life { starts, expires };
    let mut breaches = rules::dates(life);
    if let (Some(consent), Some(kind)) = (consent, kind) {
        breaches.extend(rules::lane_consent_action(lane, consent, kind));
    }
    for breach in breaches {
        top.problem(reader, breach.key, breach.kind, &breach.what, &breach.remedy);
    }
    if let (Some(action), Some(arguments)) = (&action, &arguments) {
        for breach in action.does().breaches(life, bounds) {
            arguments.problem(reader, breach.key, breach.kind, &breach.what, &breach.remedy);
        }
    }

    Some(Recipe {
        schema_version: SCHEMA_VERSION,
        slug: slug?,
        revision: revision?,
        name: name?,
        lane: lane?,
        consent: consent?,
        opens: opens.unwrap_or(Opens::Server),
        action: action?,
        capabilities,
        targeting,
        rollout: rollout?,
        starts,
        expires: expires?,
        on_end: on_end.unwrap_or(OnEnd::Keep),
        comment,
    })
}

fn targeting(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    bounds: &crate::limits::RecipeLimits,
) -> Targeting {
    let targeting = Targeting {
        channels: section.words(reader, "channels", bounds),
        versions: section.range(reader, "versions", Whose::Product),
        os: section.words(reader, "os", bounds),
        arch: section.words(reader, "arch", bounds),
        locales: section.words(reader, "locales", bounds),
        countries: section.words(reader, "countries", bounds),
        distributions: section.words(reader, "distributions", bounds),
        rings: section.words(reader, "rings", bounds),
        agent_versions: section.range(reader, "agent_versions", Whose::Agent),
    };
    let written = [
        ("locales", &targeting.locales, "a language tag", "write it such as \"de\" or \"de-AT\""),
        ("countries", &targeting.countries, "a country code", "write two capital letters, such as \"AT\""),
    ];
    for (key, list, kind, remedy) in written {
        for word in list.iter().flatten().filter(|word| !is_legal(key, word)) {
            let doubt = doubt(key, word, &KnownWords::default());
            let remedy = doubt.as_ref().map_or(remedy, |doubt| &doubt.remedy);
            let what = format!("{word:?} is not {kind}");
            section.problem(reader, key, SourceProblemKind::BadValue, &what, remedy);
        }
    }
    section.finish(reader);
    targeting
}

/// Whether a word of targeting is written so that clients can have it.
fn is_legal(field: &str, word: &str) -> bool {
    match field {
        "locales" => is_language_tag(word),
        "countries" => is_country_code(word),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
