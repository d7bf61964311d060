//! `mulberryctl gate sign`: a further person signs the opening in a file.

use crate::{
    context::CommandContext,
    failure::{Failure, FailureKind},
    files::Existing,
    lane::{base, signers},
    opening::{self, in_file, words},
    output,
    signable::check_unaltered,
};
use clap::Args;
use mulberry_shared::{
    exit::Exit,
    proposal::signing::{holders, names},
};
use std::path::PathBuf;

/// `gate sign`
#[derive(Args, Debug)]
#[command(
    after_help = "What is shown, but for the reason, is computed from the bytes to be signed, against what this machine verifies from its own root: the edition \
                  in the file, unless --origin names an origin. It can be submitted for a day, once.\n\n\
                  Example:\n  mulberryctl gate sign all.opening --key bob/emergency.pem"
)]
pub struct SignOpening {
    /// The file of `gate open --out`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Your own key of the lane; repeats
    #[arg(long, value_name = "FILE", required = true)]
    pub key: Vec<PathBuf>,
    /// Do not ask before signing; needed where there is no terminal to ask at
    #[arg(long)]
    pub yes: bool,
}

impl SignOpening {
    /// Signs the opening in a file.
    ///
    /// # Errors
    /// The file is none, or not for what is published; a key that may not sign.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let (now, limits) = (context.now, &context.limits);
        let mut passphrases = context.passphrases()?;
        let mut file = in_file::read(&self.file, limits)?;
        let wanted = file.opening.clone();
        let lane = wanted.path.lane;
        let (state, base) = base::of_file(file.base.as_deref(), lane, context).await?;
        let meant = opening::meant(&state, &base, &wanted.path, limits)?;
        let unfit = |why: String| {
            Failure::refused(
                FailureKind::OpeningUnfit,
                format!("{}: {why}. Nothing was signed.", self.file.display()),
            )
        };
        if (wanted.revision, wanted.sha256) != (meant.recipe.revision, meant.sha256) {
            return Err(unfit(format!(
                "it is for revision {} with SHA-256 {:.12}…, and revision {} with SHA-256 {:.12}… is published",
                wanted.revision,
                wanted.sha256.to_string(),
                meant.recipe.revision,
                meant.sha256.to_string()
            )));
        }
        if wanted.expires <= now {
            return Err(unfit(format!(
                "it could be submitted until {}; make a new one",
                output::instant(wanted.expires)
            )));
        }
        let authority = signers::authority(&base.targets, lane)?;
        let broken = file.opening.broken(authority, &file.signatures, &limits.trust);
        check_unaltered(broken.map(|labels| holders(authority, &labels)))?;
        let before = opening::signing(&file, &base, limits)?;
        // Signatures of keys that do not count are left out here, whoever put them there.
        file.signatures.retain(|signature| before.signed.iter().any(|key| key.keyid == signature.keyid));
        context.format.say(&words::describe(&file, &meant, now))?;
        context.format.say(&format!("Signed by {}.", names(&before.signed)))?;
        let keys = signers::load(&self.key, lane, &base.targets, state.trusted().root(), &mut passphrases)?;
        signers::check_new(&self.file.display().to_string(), &keys, &before, lane, &base.targets)?;
        output::agree(self.yes, "Sign this opening?", "signed")?;
        opening::add(&mut file, &keys, &base)?;
        in_file::write(&self.file, &file, Existing::Replace)?;
        let after = opening::signing(&file, &base, limits)?;
        in_file::print(&file, &self.file, &after, opening::needed(&meant.recipe, &base)?, context.format)
    }
}
