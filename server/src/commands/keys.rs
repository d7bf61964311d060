//! `keys`: the server's own new online keys, whose private halves never leave it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use mulberry_shared::ceremony::public::PublicKeys;
use serde_json::json;

use super::{CommandError, Layout, answer};
use crate::config::KeysNewArgs;
use crate::files::{Existing, FileError, NewFile};
use crate::keys::KeyFolder;

/// Makes them, or finds those that wait, and tells their public halves. The server may be running.
///
/// # Errors
/// [`CommandError`].
pub fn new(args: &KeysNewArgs) -> Result<(), CommandError> {
    let layout = Layout::existing(&args.state.state)?;
    let keys = PublicKeys { person: None, keys: KeyFolder(layout.keys()).make_next()? };
    let bytes = keys.write().map_err(|error| CommandError::failed(error.to_string()))?;
    let Some(out) = args.out.as_deref().filter(|out| *out != Path::new("-")) else {
        return answer(&String::from_utf8_lossy(&bytes));
    };
    let mut file = NewFile::create(out, Existing::of_flag(args.replace))?;
    file.write_all(&bytes).map_err(|error| FileError::Io { path: out.to_owned(), error })?;
    file.place()?;
    let public = || keys.keys.iter().filter_map(|(role, key)| Some((role, key.public()?)));
    if args.json {
        let prints: BTreeMap<_, _> =
            public().map(|(role, key)| (role, key.fingerprint().to_string())).collect();
        return answer(&format!(
            "{}\n",
            json!({"public": out.display().to_string(), "fingerprints": prints})
        ));
    }
    let prints = public().map(|(role, key)| {
        format!("  {role:<10} {} {:.16}\n", key.algorithm(), key.fingerprint().to_string())
    });
    answer(&format!(
        "The new public keys of this server are in {}. Nothing signs with them yet.\n{}Next, on a machine of the people who hold \
         root and targets:\n  mulberryctl online-keys rotate {} --key people/NAME/root.pem --key people/NAME/targets.pem\n",
        out.display(),
        prints.collect::<String>(),
        out.file_name().unwrap_or(out.as_os_str()).to_string_lossy()
    ))
}
