//! `mulberryctl publish`: fetch and verify what is live, show the difference in words, sign, prove, ask, hand over.

pub(super) mod base;
pub(super) mod outcome;
pub(super) mod plan;
pub(super) mod signers;

use crate::{
    cli::{self, LaneName},
    config::Settings,
    failure::{Failure, FailureKind, Kind},
    http::{Endpoint, Purpose},
    keys::PersonKey,
    operators::Operators,
    origin::{self, Source},
    output::{self, Format},
    passphrase::Passphrases,
    record, source,
};
use base::Base;
use jiff::Timestamp;
use mulberry_shared::{
    answer::sentence,
    edition::{
        TrustState,
        write::{self, LaneDraft, Published},
    },
    exit::Exit,
    limits::Limits,
    operators::{ProblemKind, PublishRequest, PublishResponse, RecipeStatus},
    proposal::{self, Change, Changes, Examined, FailedPreflight, Proposal, Unfit},
    recipe::{Lane, Recipe, RecipeName, Slug, published},
    targeting::KnownWords,
    text::one_line,
    tuf::{Signer, TrustError, threshold::Signature},
};
use std::{collections::BTreeMap, path::PathBuf};

/// Publishes.
///
/// # Errors
/// Whatever stands in the way, before anything has changed; or the server's refusal.
pub async fn run(
    command: &cli::Publish,
    settings: &Settings,
    passphrases: &mut Passphrases,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    let wishes = wishes(&command.recipes, &settings.known_words(), now, limits)?;
    let withdraw: Vec<Slug> = command.withdraw.iter().map(|name| name.slug().clone()).collect();
    let pinned = origin::pinned(settings.root()?, limits)?;
    // Found out now rather than after people have typed passphrases.
    let server = Operators::new(settings)?;
    let endpoint = Endpoint::new(&settings.origin.value, Purpose::PublicDocuments)?;

    output::progress(&format!("Fetching and verifying what {} publishes", endpoint.base()));
    let state = base::refresh(&endpoint, pinned, now, limits).await?;
    let lane = lane(command.renew, &wishes, &command.withdraw, &state)?;
    let base = base::current(Source::Origin(&endpoint), &state, lane, now, limits).await?;
    let plan = match plan::make(lane, &base, &wishes, &withdraw, command.renew.is_some(), now) {
        // Who lost an answer asks again.
        Err(failure) if failure.kind == Kind::from(FailureKind::NothingChanges) => {
            return already(&server, lane, &base, &wishes, now, format).await;
        }
        other => other?,
    };

    let mut proposal = draft(lane, &base, &plan, &withdraw, now, limits)?;
    let examined = examine(&proposal, &base, now, limits)?;
    say(format, &examined.describe(base.live(), now))?;
    say(format, &preflights(&wishes, &plan, now, limits))?;
    check_preflights(&wishes, &plan, command.despite_preflight.as_deref(), limits)?;

    let signers = signers::load(&command.key, lane, &base.targets, state.trusted().root(), passphrases)?;
    sign(&mut proposal, &signers, &base)?;
    let metadata = proposal.metadata();
    let others: Vec<_> = base.other.iter().map(|other| &**other).collect();
    let published = Published { targets: &base.targets, current: Some(&base.lane), other_lanes: &others };
    write::verify_lane(published, lane, &metadata, &withdraw, now, limits)
        .map_err(|error| signers::explain(error, lane, &base.targets, &signers))?;

    agree(command.yes, &format!("Publish this to {}?", settings.server.value), "published")?;
    output::progress(&format!("Handing version {} of the {lane} lane to the server", examined.version));
    let document = proposal.document();
    let request = PublishRequest {
        metadata: document.metadata,
        recipes: document.recipes,
        withdraw: document.withdraw,
    };
    let response = server.publish(lane.as_str(), &request).await?;
    format.print(|| outcome::words(&response, Some(&plan), now), || serde_json::json!(response))?;
    Ok(Exit::Yes)
}

/// The wishes as a proposal that nobody has signed.
///
/// # Errors
/// The plan does not make a lane's next version.
pub(super) fn draft(
    lane: Lane,
    base: &Base,
    plan: &Changes,
    withdraw: &[Slug],
    now: Timestamp,
    limits: &Limits,
) -> Result<Proposal, Failure> {
    let refused = |error: TrustError| Failure::refused(error.kind, error.to_string());
    let mut draft = LaneDraft::new(lane, Some(&base.lane));
    let mut recipes = BTreeMap::new();
    for (path, change) in plan {
        match change {
            Change::New(recipe) | Change::Changed { to: recipe, .. } => {
                let bytes = published::write(recipe);
                draft.add(path, &bytes).map_err(refused)?;
                recipes.insert(path.clone(), bytes);
            }
            Change::Withdrawn(_) => draft.withdraw(&path.slug).map_err(refused)?,
            Change::Unchanged => {}
        }
    }
    let body = draft.build(now).map_err(refused)?;
    Proposal::new(lane, &body, recipes, withdraw.iter().cloned(), limits).map_err(|error| {
        Failure::no(ProblemKind::ProposalRefused, format!("It cannot be proposed: {error}."))
    })
}

/// What the proposal would change, from the bytes to be signed.
///
/// # Errors
/// It was overtaken, or is not what could be published.
pub(super) fn examine(
    proposal: &Proposal,
    base: &Base,
    now: Timestamp,
    limits: &Limits,
) -> Result<Examined, Failure> {
    proposal::examine(proposal, base.live(), now, limits).map_err(|unfit| match &unfit {
        Unfit::Overtaken { .. } => Failure::no(
            ProblemKind::ProposalOvertaken,
            format!(
                "Overtaken: {unfit}. Nothing was signed. Rebuild it on what is live, and everybody signs anew:\n  \
                 mulberryctl propose --rebase {}",
                proposal::shown(&proposal.id())
            ),
        ),
        Unfit::Metadata(error) => Failure::refused(
            error.kind,
            format!("The proposal is refused: {error}. Nothing was signed."),
        ),
        Unfit::Recipe { .. } => Failure::refused(
            ProblemKind::RecipeRefused,
            format!("The proposal is refused: {unfit}. Nothing was signed. Ask who made it, not the server alone."),
        ),
    })
}

/// Signs with each of the keys.
///
/// # Errors
/// A key that cannot sign.
pub(super) fn sign(
    proposal: &mut Proposal,
    signers: &[PersonKey],
    base: &Base,
) -> Result<Vec<Signature>, Failure> {
    let authority = signers::authority(&base.targets, proposal.lane())?;
    let mut sign = |signer: &dyn Signer| proposal.sign(authority, signer);
    let signed: Result<Vec<_>, _> = signers.iter().map(|signer| sign(signer.as_ref())).collect();
    signed.map_err(|error| Failure::refused(error.kind, error.to_string()))
}

/// Asks whether to go on, unless it was said already.
///
/// # Errors
/// No, or nobody to ask.
pub(super) fn agree(yes: bool, question: &str, done: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !output::can_ask() {
        return Err(Failure::usage(
            FailureKind::NobodyToAsk,
            format!(
                "Nothing was {done}: there is no terminal here to ask at. Read what would be {done} above, then run \
                 the command again with --yes."
            ),
        ));
    }
    if output::confirm(question) {
        return Ok(());
    }
    Err(Failure::no(FailureKind::NotConfirmed, format!("Not confirmed: nothing was {done}.")))
}

pub(super) fn wishes(
    paths: &[PathBuf],
    known: &KnownWords,
    now: Timestamp,
    limits: &Limits,
) -> Result<Vec<(PathBuf, Recipe)>, Failure> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let files = source::find(paths)?;
    let mut wishes: Vec<(PathBuf, Recipe)> = Vec::new();
    for file in files {
        let recipe = source::load_good(&file, limits)?;
        source::warn_of_doubts(&file, &recipe, known, now, limits)?;
        if let Some((first, _)) = wishes.iter().find(|(_, other)| other.slug == recipe.slug) {
            return Err(Failure::usage(
                FailureKind::SlugTwice,
                format!("{} and {} have the same slug `{}`.", first.display(), file.display(), recipe.slug),
            ));
        }
        wishes.push((file, recipe));
    }
    Ok(wishes)
}

/// The one lane that all wishes are for.
pub(super) fn lane(
    renew: Option<LaneName>,
    wishes: &[(PathBuf, Recipe)],
    withdraw: &[RecipeName],
    state: &TrustState,
) -> Result<Lane, Failure> {
    let mut lanes: Vec<Lane> = wishes.iter().map(|(_, recipe)| recipe.lane).collect();
    lanes.extend(renew.map(|lane| match lane {
        LaneName::Emergency => Lane::Emergency,
        LaneName::Routine => Lane::Routine,
    }));
    let listed = base::listed(state);
    for name in withdraw {
        match (name.among(&listed), name.lane()) {
            (Ok(path), _) => lanes.push(path.lane),
            // An expired lane is not in the verified state; the plan says so when the recipe is not there either.
            (Err(_), Some(lane)) => lanes.push(lane),
            (Err(_), None) if !lanes.is_empty() => {}
            (Err(error), None) => {
                return Err(Failure::no(
                    ProblemKind::UnknownRecipe,
                    format!("--withdraw: among what is published {}", sentence(&error)),
                ));
            }
        }
    }
    lanes.sort_unstable();
    lanes.dedup();
    match lanes.as_slice() {
        [lane] => Ok(*lane),
        _ => Err(Failure::usage(
            FailureKind::SeveralLanes,
            "These recipes are in both lanes, and each lane has its own keys. Publish one lane after the other, the emergency \
             lane first.",
        )),
    }
}

/// For each recipe that is signed: the last preflight of exactly its bytes, or that there was none.
pub(super) fn preflights(
    wishes: &[(PathBuf, Recipe)],
    plan: &Changes,
    now: Timestamp,
    limits: &Limits,
) -> String {
    let lines = signed(wishes, plan).map(|(file, recipe)| {
        let last = record::last(file, recipe, limits);
        format!("preflight  {}: {}", recipe.path(), record::describe(&last, file, now))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The recipes that are signed.
fn signed<'a>(
    wishes: &'a [(PathBuf, Recipe)],
    plan: &'a Changes,
) -> impl Iterator<Item = &'a (PathBuf, Recipe)> {
    wishes.iter().filter(|(_, recipe)| plan.get(&recipe.path()) != Some(&Change::Unchanged))
}

/// Nobody signs a recipe whose last preflight failed, unless they say why. Gives those that are signed all the same.
///
/// # Errors
/// One failed.
pub(super) fn check_preflights(
    wishes: &[(PathBuf, Recipe)],
    plan: &Changes,
    despite: Option<&str>,
    limits: &Limits,
) -> Result<Vec<FailedPreflight>, Failure> {
    let failed = |(file, recipe): &(PathBuf, Recipe)| record::last(file, recipe, limits).failed();
    let mut all = Vec::new();
    for (wish, failed) in signed(wishes, plan).filter_map(|wish| Some((wish, failed(wish)?))) {
        let (file, recipe) = wish;
        let path = recipe.path();
        let Some(reason) = despite else {
            return Err(Failure::no(
                FailureKind::PreflightFailed,
                format!(
                    "The last preflight of {path} FAILED. Nothing was signed. Correct the recipe and prove it:\n  {}\n\
                     Only where you know better than the preflight: the same again with --despite-preflight TEXT, which says why.",
                    record::command(file)
                ),
            ));
        };
        let reason = one_line(reason, limits.proposal.reason).map_err(|why| {
            Failure::usage(FailureKind::NoReason, format!("--despite-preflight: {why}. Nothing was signed."))
        })?;
        output::warn(&format!(
            "the last preflight of {path} failed, and it is signed all the same: {reason:?}"
        ));
        all.push(FailedPreflight { path, failed, reason: reason.to_owned() });
    }
    Ok(all)
}

/// Words before the answer: on standard output for people, aside when a script waits for JSON.
pub(super) fn say(format: Format, text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        return Ok(());
    }
    match format {
        Format::Human => format.print(|| format!("{text}\n"), || serde_json::Value::Null),
        Format::Json => {
            output::tell(text);
            Ok(())
        }
    }
}

/// Everything named is published with exactly these bytes: nothing is signed, and the answer is that of the first time.
async fn already(
    server: &Operators,
    lane: Lane,
    base: &base::Base,
    wishes: &[(PathBuf, Recipe)],
    now: Timestamp,
    format: Format,
) -> Result<Exit, Failure> {
    let status = server.status().await?;
    let of_lane = |recipe: &RecipeStatus| recipe.lane == lane.as_str();
    let response = PublishResponse {
        edition: status.edition,
        lane: lane.to_string(),
        lane_version: base.lane.version,
        withdrawn: Vec::new(),
        recipes: status.recipes.into_iter().filter(of_lane).collect(),
        ledger: status.ledger,
    };
    let words = || {
        let mut lines = vec![format!(
            "Already published, revision and content: edition {}, lane {lane} version {}. Nothing was changed.",
            response.edition, response.lane_version
        )];
        if base.lane.check_unexpired(lane.as_str(), now).is_err() {
            lines.push(format!(
                "But the lane has expired, and agents take nothing new from it: mulberryctl publish --renew {lane} --key FILE …"
            ));
        }
        let named =
            |recipe: &&RecipeStatus| wishes.iter().any(|(_, wish)| wish.path().to_string() == recipe.path);
        lines.extend(response.recipes.iter().filter(named).map(|recipe| outcome::live(recipe, now)));
        lines.join("\n")
    };
    format.print(words, || serde_json::json!(response))?;
    Ok(Exit::Yes)
}
