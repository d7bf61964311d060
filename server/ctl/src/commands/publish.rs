//! `mulberryctl publish`: fetch and verify what is live, show the difference in words, sign, prove, ask, hand over.

use crate::{
    arguments::LaneName,
    context::CommandContext,
    failure::{Failure, FailureKind, Kind},
    lane::{
        base::{self, Base},
        draft, outcome, plan, signers,
        wishes::{self, Wish},
    },
    operators::Operators,
    origin::Source,
    output,
};
use clap::Args;
use mulberry_shared::{
    edition::write::{self, Published},
    exit::Exit,
    operators::{PublishRequest, PublishResponse, RecipeStatus},
    recipe::{Lane, RecipeName, Slug},
};
use std::path::PathBuf;

/// `publish`
#[derive(Args, Debug)]
#[command(
    after_help = "All recipes of one call go to one lane. Recipes of the lane that are not named stay as they are.\n\n\
                  Example:\n  mulberryctl publish recipes/replacement --key a/emergency.pem --key b/emergency.pem\n  \
                  mulberryctl publish --withdraw old-fix --key a/emergency.pem --key b/emergency.pem\n  \
                  mulberryctl publish --renew routine --key a/routine.pem --key b/routine.pem"
)]
pub struct Publish {
    /// Recipe folders
    #[arg(value_name = "RECIPE", required_unless_present_any = ["withdraw", "renew"])]
    pub recipes: Vec<PathBuf>,
    /// A person's key of the lane; repeats, one for each signer
    #[arg(long, value_name = "FILE", required = true)]
    pub key: Vec<PathBuf>,
    /// A published recipe that shall disappear: SLUG, LANE/SLUG or LANE/SLUG.json; repeats
    #[arg(long, value_name = "RECIPE")]
    pub withdraw: Vec<RecipeName>,
    /// Sign a lane again though nothing in it changes: its metadata is about to expire
    #[arg(long, value_enum, value_name = "LANE", conflicts_with_all = ["recipes", "withdraw"])]
    pub renew: Option<LaneName>,
    /// Go on although the last preflight failed and none has passed since; say why
    #[arg(long, value_name = "TEXT")]
    pub despite_preflight: Option<String>,
    /// Do not ask before publishing; needed where there is no terminal to ask at
    #[arg(long)]
    pub yes: bool,
}

impl Publish {
    /// Publishes.
    ///
    /// # Errors
    /// Whatever stands in the way, before anything has changed; or the server's refusal.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let CommandContext { now, format, limits, .. } = context;
        let mut passphrases = context.passphrases()?;
        let wishes = wishes::read(&self.recipes, context)?;
        let withdraw: Vec<Slug> = self.withdraw.iter().map(|name| name.slug().clone()).collect();
        let pinned = context.pinned()?;
        // Found out now rather than after people have typed passphrases.
        let server = context.server()?;
        let endpoint = context.origin()?;

        let state = base::refresh(&endpoint, pinned, context).await?;
        let lane = wishes::lane(self.renew, &wishes, &self.withdraw, &state)?;
        let base = base::current(Source::Origin(&endpoint), &state, lane, context).await?;
        let plan = match plan::make(lane, &base, &wishes, &withdraw, self.renew.is_some(), *now) {
            // Who lost an answer asks again.
            Err(failure) if failure.kind == Kind::from(FailureKind::NothingChanges) => {
                return already(&server, lane, &base, &wishes, context).await;
            }
            other => other?,
        };

        let mut proposal = draft::make(lane, &base, &plan, &withdraw, *now, limits)?;
        let examined = draft::examine(&proposal, &base, *now, limits)?;
        format.say(&examined.describe(base.live(), *now))?;
        format.say(&wishes::preflights(&wishes, &plan, context))?;
        wishes::check_preflights(&wishes, &plan, self.despite_preflight.as_deref(), limits)?;

        let signers =
            signers::load(&self.key, lane, &base.targets, state.trusted().root(), &mut passphrases)?;
        draft::sign(&mut proposal, &signers, &base)?;
        let metadata = proposal.metadata();
        let others: Vec<_> = base.other.iter().map(|other| &**other).collect();
        let published = Published { targets: &base.targets, current: Some(&base.lane), other_lanes: &others };
        write::verify_lane(published, lane, &metadata, &withdraw, *now, limits)
            .map_err(|error| signers::explain(error, lane, &base.targets, &signers))?;

        let question = format!("Publish this to {}?", context.settings()?.server.value);
        output::agree(self.yes, &question, "published")?;
        output::progress(&format!("Handing version {} of the {lane} lane to the server", examined.version));
        let document = proposal.document();
        let request = PublishRequest {
            metadata: document.metadata,
            recipes: document.recipes,
            withdraw: document.withdraw,
        };
        let response = server.publish(lane.as_str(), &request).await?;
        format.print(|| outcome::words(&response, Some(&plan), *now), || serde_json::json!(response))?;
        Ok(Exit::Yes)
    }
}

/// Everything named is published with exactly these bytes: nothing is signed, and the answer is that of the first time.
async fn already(
    server: &Operators,
    lane: Lane,
    base: &Base,
    wishes: &[Wish],
    context: &CommandContext,
) -> Result<Exit, Failure> {
    let now = context.now;
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
    context.format.print(words, || serde_json::json!(response))?;
    Ok(Exit::Yes)
}
