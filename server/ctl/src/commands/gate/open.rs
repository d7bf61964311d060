//! `mulberryctl gate open`: alone, or with the keys of further people, at this machine or by a file.

use super::{Change, Wish, Words, set};
use crate::{
    arguments::percent,
    context::CommandContext,
    failure::{Failure, FailureKind},
    files::Existing,
    gates::{self, stops},
    lane::{base, signers},
    opening::{self, Meant, in_file, words},
    origin::Source,
    output,
};
use clap::{ArgGroup, Args};
use jiff::{SignedDuration, Timestamp};
use mulberry_shared::{
    answer::sentence,
    approval::{AHEAD, LIFE, Opening, OpeningFile},
    exit::Exit,
    instant,
    operators::{ProblemKind, StatusResponse},
    recipe::{Opens, Recipe, RecipeName, RecipePath},
    sampling::BasisPoints,
};
use std::path::PathBuf;

/// `gate open`
#[derive(Args, Debug)]
#[command(
    group(ArgGroup::new("signed").args(["key", "out"]).multiple(true)),
    after_help = "One person alone takes the next step of the recipe's plan, when its time has come, or goes back to where the gate was \
                  before. Anything wider or sooner needs the key of a second person: here with --key, or on their machine with \
                  --out FILE, `gate sign FILE`, `submit FILE`. The share is never more than the recipe's own maximum.\n\n\
                  A gate that people paused or narrowed opens no further than they left it, unless --resume names the event of each: \
                  without it the answer says who did that, when and why, with the events.\n\n\
                  Example:\n  mulberryctl gate open replacement --percent 5 --reason \"canary\"\n  \
                  mulberryctl gate open replacement --percent 100 --reason \"no time\" --key bob/emergency.pem\n  \
                  mulberryctl gate open replacement --percent 100 --reason \"no time\" --out all.opening"
)]
pub struct Open {
    /// The published recipe: SLUG, LANE/SLUG or LANE/SLUG.json
    pub recipe: RecipeName,
    /// Share of the agents it is for: above 0, at most 100, at most two decimals
    #[arg(long, value_name = "N", value_parser = percent)]
    pub percent: u16,
    /// Why, for operators: in the ledger and in status, never published [default: asked on a terminal]
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// A word for the public, in what everybody can fetch; "" takes it back
    #[arg(long, value_name = "TEXT")]
    pub public_note: Option<String>,
    /// The revision that is meant [default: the published one]
    #[arg(long, value_name = "N")]
    pub revision: Option<u64>,
    /// Until when it opens, where only people may open the recipe: clients take nothing new after it, whoever holds the server's
    /// keys; signed with the opening [default: the recipe's own end]
    #[arg(long, value_name = "RFC3339", value_parser = instant::read_option, requires = "signed")]
    pub open_until: Option<Timestamp>,
    /// Let it last until the recipe's own end, though people signed an earlier time before
    #[arg(long, requires = "signed", conflicts_with = "open_until")]
    pub no_open_until: bool,
    /// A second person's key of the recipe's lane; repeats
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// Write the opening into a file for a second person to sign, and tell the server nothing
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Undo these pauses and narrowings: every one that stands in the way, by the event that the answer without this option names
    #[arg(long, value_name = "EVENT", value_delimiter = ',', conflicts_with = "out")]
    pub resume: Vec<u64>,
    /// With --key: do not ask before signing; needed where there is no terminal to ask at
    #[arg(long)]
    pub yes: bool,
}

impl Open {
    /// Opens the gate, or has it opened.
    ///
    /// # Errors
    /// No such recipe, another revision, or what the server refuses.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        if !self.key.is_empty() || self.out.is_some() {
            return self.with_others(context).await;
        }
        let change = Change::Open { percent: self.percent, resume: &self.resume };
        let words = Words::given(self.reason.as_deref(), self.public_note.as_deref(), &context.limits)?;
        set(Wish { recipe: &self.recipe, revision: self.revision, change, words }, context).await
    }

    /// Makes an opening, has it signed with the keys at hand, and submits it or writes it to a file.
    async fn with_others(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let (now, limits) = (context.now, &context.limits);
        let mut passphrases = context.passphrases()?;
        // Found out now rather than after people have typed passphrases.
        let said = Words::given(self.reason.as_deref(), self.public_note.as_deref(), limits)?;
        let (server, status) = match &self.out {
            None => {
                let server = context.server()?;
                let status = server.status().await?;
                (Some(server), Some(status))
            }
            Some(out) => {
                in_file::check_place(out)?;
                (None, listen(context).await)
            }
        };
        let (pinned, endpoint) = (context.pinned()?, context.origin()?);
        let (edition, state) = base::refresh_for(self.out.as_deref(), &endpoint, pinned, context).await?;
        let path = self.recipe.among(&base::listed(&state)).map_err(|error| {
            Failure::no(ProblemKind::UnknownRecipe, format!("Among what is published {}", sentence(&error)))
        })?;
        let base = base::current(Source::Origin(&endpoint), &state, path.lane, context).await?;
        let meant = opening::meant(&state, &base, &path, limits)?;
        if let Some(revision) = self.revision.filter(|revision| *revision != meant.recipe.revision) {
            return Err(super::other_revision(&self.recipe, meant.recipe.revision, revision));
        }
        let percent = BasisPoints::new(self.percent).unwrap_or(BasisPoints::EVERYONE);
        let live = status.as_ref().and_then(|status| Some((status, opening::listed(status, &path)?)));
        let stops = match live {
            Some((status, recipe)) if server.is_some() => {
                stops::agreed(status, recipe, percent.get(), &self.resume, now)?
            }
            // Whoever submits the file names them.
            Some((_, recipe)) => stops::undone(recipe, percent.get()),
            None => Vec::new(),
        };
        let before = meant.open_until().or_else(|| gates::of(live?.1)?.open_until);
        let chosen = self.no_open_until || self.open_until.is_some();
        stops::check_open_until(before.filter(|_| meant.recipe.opens == Opens::People), chosen, now)?;
        let open_until = open_until(self.open_until, &meant.recipe, now)?;
        let mut file = OpeningFile {
            opening: Opening { open_until, ..make(&path, &meant, percent, now) },
            reason: said.reason(limits)?,
            note: said.note.unwrap_or_else(|| meant.note(percent)),
            stops,
            signatures: Vec::new(),
            base: edition.map(|edition| edition.write()),
        };
        context.format.say(&words::describe(&file, &meant, now))?;
        if self.out.is_some() && status.is_none() {
            output::warn("no server was asked, so who paused or narrowed the gate is not known here.");
        }
        if !self.key.is_empty() {
            let keys =
                signers::load(&self.key, path.lane, &base.targets, state.trusted().root(), &mut passphrases)?;
            output::agree(self.yes, "Open this, and sign it?", "opened")?;
            opening::add(&mut file, &keys, &base)?;
        }
        let needed = opening::needed(&meant.recipe, &base)?;
        let signing = opening::signing(&file, &base, limits)?;
        match (&self.out, server) {
            (Some(out), _) => {
                in_file::write(out, &file, Existing::Refuse)?;
                in_file::print(&file, out, &signing, needed, context.format)
            }
            (None, Some(_)) if signing.signed.len() < needed => Err(Failure::no(
                ProblemKind::SecondKeyNeeded,
                format!(
                    "Only the people of the {} lane open {path}, {needed} of them; {}. Nothing was opened. Run it again with their \
                     --key FILE added, or with --out FILE for their machines.",
                    path.lane,
                    signing.describe()
                ),
            )),
            (None, Some(server)) => {
                let resumes = file.stops.iter().map(|stop| stop.event).collect();
                opening::hand_in(&server, &file, resumes, context).await
            }
            (None, None) => Err(Failure::usage(FailureKind::Internal, "Give --server URL or --out FILE.")),
        }
    }
}

/// What a server says of its gates, where one is at hand: a file is made without one, too.
async fn listen(context: &CommandContext) -> Option<StatusResponse> {
    context.server().ok()?.status().await.ok()
}

/// An opening from now on, and after whatever the gate was set to before, unless a wrong clock has dated that far ahead: a server
/// takes no such opening, and asks for none.
fn make(path: &RecipePath, meant: &Meant, percent: BasisPoints, now: Timestamp) -> Opening {
    let second = SignedDuration::from_secs(1);
    let near = meant.gate.as_ref().filter(|gate| gate.since.duration_since(now) < AHEAD);
    let after = near.and_then(|gate| gate.since.checked_add(second).ok());
    let since = Timestamp::from_second(now.as_second()).unwrap_or(now).max(after.unwrap_or(Timestamp::MIN));
    Opening {
        path: path.clone(),
        revision: meant.recipe.revision,
        sha256: meant.sha256,
        percent,
        since,
        expires: since.saturating_add(LIFE).unwrap_or(Timestamp::MAX),
        open_until: None,
    }
}

/// The time that is signed: none for the recipe's own end, which clients keep to anyway. So older ones read the opening, too.
fn open_until(
    wanted: Option<Timestamp>,
    recipe: &Recipe,
    now: Timestamp,
) -> Result<Option<Timestamp>, Failure> {
    let Some(until) = wanted.filter(|until| *until != recipe.expires) else { return Ok(None) };
    let unfit = |why: String| {
        Err(Failure::usage(FailureKind::OpenUntil, format!("--open-until: {why} Nothing was signed.")))
    };
    if recipe.opens == Opens::Server {
        return unfit(
            "clients check it only where the recipe says opens = \"people\"; this one the server's keys alone open. Pause or end \
             its gate when the time has come."
                .to_owned(),
        );
    }
    if until <= now {
        return unfit(format!("{} is over.", output::instant(until)));
    }
    if until > recipe.expires {
        return unfit(format!("the recipe itself ends before that, at {}.", output::instant(recipe.expires)));
    }
    Ok(Some(until))
}
