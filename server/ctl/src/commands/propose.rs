//! `mulberryctl propose`: the next version of a lane for people to sign, one after the other.

use crate::{
    arguments::LaneName,
    context::CommandContext,
    failure::{Failure, FailureKind},
    files::Existing,
    lane::{
        base, draft, plan, signers,
        wishes::{self, Wish},
    },
    operators::Operators,
    origin::Source,
    output, proposals,
    signable::Named,
};
use clap::Args;
use jiff::Timestamp;
use mulberry_shared::{
    exit::Exit,
    operators::{ProblemKind, ProposalRequest},
    proposal::{self, Proposal, signing::names},
    recipe::{Lane, RecipeName, Slug, published},
};
use std::path::PathBuf;

/// `propose`
#[derive(Args, Debug)]
#[command(
    after_help = "Shows what would change and hands it to the server, where it waits for signatures. With --out it goes into a file \
                  instead, for a machine without a network: sign FILE there, then submit FILE.\n\n\
                  Example:\n  mulberryctl propose recipes/replacement --key alice/emergency.pem\n  \
                  mulberryctl propose --withdraw old-fix --replace 3f2a81c0aa17\n  \
                  mulberryctl propose recipes/replacement --out fix.proposal\n  \
                  mulberryctl propose --rebase 3f2a81c0aa17"
)]
pub struct Propose {
    /// Recipe folders
    #[arg(value_name = "RECIPE", required_unless_present_any = ["withdraw", "renew", "rebase"])]
    pub recipes: Vec<PathBuf>,
    /// A published recipe that shall disappear; repeats
    #[arg(long, value_name = "RECIPE")]
    pub withdraw: Vec<RecipeName>,
    /// Sign a lane again though nothing in it changes: its metadata is about to expire
    #[arg(long, value_enum, value_name = "LANE", conflicts_with_all = ["recipes", "withdraw"])]
    pub renew: Option<LaneName>,
    /// Your own key of the lane, a file or a PKCS#11 URI, to sign it right away; repeats
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// Write the proposal into a file, with the edition it was made on, and tell the server nothing
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// A proposal whose place this takes; its signatures are void
    #[arg(long, value_name = "ID", conflicts_with = "out")]
    pub replace: Option<String>,
    /// Rebuild a proposal that was overtaken on what is live now: its id, or its file
    #[arg(long, value_name = "PROPOSAL", conflicts_with_all = ["recipes", "withdraw", "renew", "replace"])]
    pub rebase: Option<String>,
    /// Go on although the last preflight failed and none has passed since; say why: whoever signs next reads it
    #[arg(long, value_name = "TEXT")]
    pub despite_preflight: Option<String>,
    /// With --key: do not ask before signing; needed where there is no terminal to ask at
    #[arg(long)]
    pub yes: bool,
}

/// What somebody wants to be published.
struct Wishes {
    recipes: Vec<Wish>,
    withdraw: Vec<Slug>,
    renew: bool,
    /// `None` where the wishes say it.
    lane: Option<Lane>,
    /// The proposal whose place this takes.
    old: Option<Proposal>,
}

impl Propose {
    /// Proposes.
    ///
    /// # Errors
    /// Whatever stands in the way, before anything has changed; or the server's refusal.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let CommandContext { now, format, limits, .. } = context;
        let mut passphrases = context.passphrases()?;
        if let Some(out) = self.out.as_ref().filter(|out| out.exists()) {
            return Err(proposals::exists(out));
        }
        // Found out now rather than after people have typed passphrases.
        let server = match &self.out {
            None => Some(context.server()?),
            Some(_) => None,
        };
        let wishes = self.wishes(server.as_ref(), context).await?;
        let (pinned, endpoint) = (context.pinned()?, context.origin()?);
        let (edition, state) = base::refresh_for(self.out.as_deref(), &endpoint, pinned, context).await?;
        let lane = match wishes.lane {
            Some(lane) => lane,
            None => wishes::lane(self.renew, &wishes.recipes, &self.withdraw, &state)?,
        };
        let base = base::current(Source::Origin(&endpoint), &state, lane, context).await?;
        let withdraw = match &wishes.old {
            // What is gone already need not be withdrawn again.
            Some(old) if self.rebase.is_some() => {
                check_overtaken(old, base.lane.version, *now)?;
                let live = |slug: &Slug| base.recipes.keys().any(|path| path.slug == *slug);
                wishes.withdraw.iter().filter(|slug| live(slug)).cloned().collect()
            }
            _ => wishes.withdraw.clone(),
        };
        let plan = plan::make(lane, &base, &wishes.recipes, &withdraw, wishes.renew, *now)?;
        let mut proposal = draft::make(lane, &base, &plan, &withdraw, *now, limits)?;
        let examined = draft::examine(&proposal, &base, *now, limits)?;
        format.say(&examined.describe(base.live(), *now))?;
        let failed = match &wishes.old {
            // On a new base it is what it was.
            Some(old) if self.rebase.is_some() => old.failed_preflights().to_vec(),
            _ => {
                format.say(&wishes::preflights(&wishes.recipes, &plan, context))?;
                let despite = self.despite_preflight.as_deref();
                wishes::check_preflights(&wishes.recipes, &plan, despite, limits)?
            }
        };
        format.say(&proposals::failed_preflights(&failed, *now))?;
        proposal = proposal.despite(failed);
        let authority = signers::authority(&base.targets, lane)?;
        if let Some(old) = &wishes.old {
            let signed = old.signing(authority, limits).map(|signing| signing.signed).unwrap_or_default();
            format.say(&voided(old, &names(&signed), signed.is_empty()))?;
        }

        if !self.key.is_empty() {
            let keys =
                signers::load(&self.key, lane, &base.targets, state.trusted().root(), &mut passphrases)?;
            output::agree(self.yes, "Propose this, and sign it?", "proposed")?;
            draft::sign(&mut proposal, &keys, &base)?;
        }
        let signing = proposal
            .signing(authority, limits)
            .map_err(|error| Failure::refused(error.kind, error.to_string()))?;
        if let Some((out, edition)) = self.out.as_ref().zip(edition) {
            proposals::write(out, &proposal.on(edition.write()), Existing::Refuse)?;
            let read = proposals::read(out, limits)?;
            format.print(
                || proposals::in_file(&read, out, &signing),
                || proposals::file_json(&read, out, &signing),
            )?;
            return Ok(Exit::Yes);
        }
        let Some(server) = server else {
            return Err(Failure::usage(FailureKind::Internal, "Give --server URL or --out FILE."));
        };
        let replaces = match (&self.replace, &self.rebase, &wishes.old) {
            (Some(_), _, Some(old)) => Some(old.id().to_string()),
            (None, Some(named), Some(old)) if matches!(Named::of(named)?, Named::Id(_)) => {
                Some(old.id().to_string())
            }
            _ => None,
        };
        let response = server.propose(&ProposalRequest { proposal: proposal.document(), replaces }).await?;
        proposals::print(*format, &response, Some(&plan), *now)?;
        Ok(Exit::Yes)
    }

    async fn wishes(&self, server: Option<&Operators>, context: &CommandContext) -> Result<Wishes, Failure> {
        let limits = &context.limits;
        if let Some(named) = &self.rebase {
            let old = match Named::of(named)? {
                Named::File(path) => proposals::read(&path, limits)?,
                Named::Id(id) => match server {
                    Some(server) => server.proposal(&id, limits).await?,
                    None => context.server()?.proposal(&id, limits).await?,
                },
            };
            let mut recipes = Vec::new();
            for (path, bytes) in old.recipes() {
                let recipe = published::read(path, bytes, limits).map_err(|error| {
                    Failure::refused(
                        ProblemKind::RecipeRefused,
                        format!("The proposal is refused: {path}: {error}."),
                    )
                })?;
                recipes.push((PathBuf::from(path.to_string()), recipe));
            }
            let withdraw: Vec<Slug> = old.withdraw().iter().cloned().collect();
            let renew = recipes.is_empty() && withdraw.is_empty();
            return Ok(Wishes { recipes, withdraw, renew, lane: Some(old.lane()), old: Some(old) });
        }
        let old = match (&self.replace, server) {
            (Some(id), Some(server)) => Some(server.proposal(id, limits).await?),
            _ => None,
        };
        Ok(Wishes {
            recipes: wishes::read(&self.recipes, context)?,
            withdraw: self.withdraw.iter().map(|name| name.slug().clone()).collect(),
            renew: self.renew.is_some(),
            lane: None,
            old,
        })
    }
}

fn check_overtaken(old: &Proposal, live: u64, now: Timestamp) -> Result<(), Failure> {
    if old.body().version <= live || old.body().expires <= now {
        return Ok(());
    }
    let id = proposal::shown(&old.id());
    Err(Failure::no(
        FailureKind::NotOvertaken,
        format!(
            "Proposal {id} was not overtaken: it can be signed as it is. To change it: mulberryctl propose RECIPE --replace {id}"
        ),
    ))
}

fn voided(old: &Proposal, whose: &str, nobody: bool) -> String {
    let id = proposal::shown(&old.id());
    if nobody {
        return format!("It takes the place of proposal {id}, which nobody has signed.");
    }
    format!(
        "It takes the place of proposal {id}. VOID: the signatures of {whose}, which were for other bytes; they must sign again."
    )
}
