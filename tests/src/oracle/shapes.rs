//! The changes to an add-on: by name, alone and in random combinations.
//!
//! | module | what is changed |
//! |---|---|
//! | [`archives`] | the zip container |
//! | [`names`] | names of files, and of the signature's files |
//! | [`manifests`] | `manifest.mf` and the signature file |
//! | [`signatures`] | PKCS#7 and COSE |
//! | [`certificates`] | the chain |
//! | [`digests`] | every entry of the table manifest, signature file, signer |

pub mod archives;
pub mod certificates;
pub mod digests;
pub mod manifests;
pub mod names;
pub mod signatures;

use mulberry_shared::xpi::Refusal;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::making::Making;
use crate::LabError;
use crate::pki::LabCertificate;

type Change = dyn Fn(&mut Making) -> Result<(), LabError>;

/// One change, by name.
pub struct Shape {
    /// Its group and its name in it.
    pub name: String,
    change: Box<Change>,
    /// Whether it may be combined with others at random: it is cheap.
    pub cheap: bool,
}

impl Shape {
    /// A change that cannot fail.
    pub fn new(name: impl Into<String>, change: impl Fn(&mut Making) + 'static) -> Self {
        Self::fallible(name, move |making| {
            change(making);
            Ok(())
        })
    }

    /// A change that can.
    pub fn fallible(
        name: impl Into<String>,
        change: impl Fn(&mut Making) -> Result<(), LabError> + 'static,
    ) -> Self {
        Self { name: name.into(), change: Box::new(change), cheap: true }
    }

    /// A change that we refuse on purpose.
    pub fn refused(
        name: impl Into<String>,
        refusal: Refusal,
        change: impl Fn(&mut Making) + 'static,
    ) -> Self {
        Self::new(name, move |making| {
            making.refused.push(refusal);
            change(making);
        })
    }

    /// The same, left out of random combinations.
    #[must_use]
    pub fn dear(self) -> Self {
        Self { cheap: false, ..self }
    }
}

/// An add-on of the oracle.
pub struct Made {
    /// The names of its changes.
    pub name: String,
    /// The archive.
    pub bytes: Vec<u8>,
    /// The entries of the closed list by which we refuse it.
    pub refused: Vec<Refusal>,
}

/// Every change.
#[must_use]
pub fn all() -> Vec<Shape> {
    let groups = [archives::all(), names::all(), manifests::all(), signatures::all(), certificates::all()];
    let mut all = vec![Shape::new("as the service signs", |_| ())];
    all.extend(groups.into_iter().flatten());
    all
}

/// An add-on with these changes.
///
/// # Errors
/// It cannot be made.
pub fn make(root: &LabCertificate, shapes: &[&Shape]) -> Result<Made, LabError> {
    let mut making = Making::new(root)?;
    for shape in shapes {
        (shape.change)(&mut making)?;
    }
    let name = shapes.iter().map(|shape| shape.name.as_str()).collect::<Vec<_>>().join(" + ");
    let bytes = making.make()?;
    Ok(Made { name, bytes, refused: making.refused })
}

/// The random combination of this number: two to four changes. `None` where they exclude each other.
pub fn random(root: &LabCertificate, shapes: &[Shape], seed: u64, number: u64) -> Option<Made> {
    let mut rng = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
    let cheap: Vec<&Shape> = shapes.iter().filter(|shape| shape.cheap).collect();
    let count = rng.random_range(2..=4);
    let chosen: Vec<&Shape> =
        (0..count).filter_map(|_| cheap.get(rng.random_range(0..cheap.len())).copied()).collect();
    make(root, &chosen).ok()
}
