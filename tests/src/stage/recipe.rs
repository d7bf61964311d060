//! Recipes for those whom it does not matter what a recipe does.

use jiff::SignedDuration;

use super::{Stage, StageError, io};

impl Stage {
    /// Writes the sources of an emergency recipe to the folder `recipes/SLUG`, whose name it gives: it holds verification for two days.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write_recipe(&self, slug: &str) -> Result<String, StageError> {
        let folder = format!("recipes/{slug}");
        std::fs::create_dir_all(self.path(&folder)).map_err(io)?;
        let until = self.now().saturating_add(SignedDuration::from_hours(48));
        let until = until.map_err(|error| StageError(error.to_string()))?;
        let text = format!(
            "slug = \"{slug}\"\nrevision = 1\nname = \"Hold verification\"\nlane = \"emergency\"\nconsent = \"hotfix\"\n\
             action = \"hold-verification\"\nexpires = {until:.0}\n\n[arguments]\nuntil = {until:.0}\n\n[rollout]\nmax_percent = 100\nplan = [{{ percent = 100 }}]\n"
        );
        std::fs::write(self.path(&format!("{folder}/recipe.toml")), text).map_err(io)?;
        Ok(folder)
    }
}
