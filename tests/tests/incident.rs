//! The incident of May 2019, replayed on a few laboratory add-ons and on the real ones.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used)]

use mulberry_lab::real;
use mulberry_lab::replay::material::Material;
use mulberry_lab::replay::table::Row;
use mulberry_lab::replay::{self, timeline::Timeline};

#[test]
fn the_replacement_brings_back_every_laboratory_add_on_of_the_expired_intermediate() {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 20, &|_| ()).unwrap();
    let rows = replay::run(&material, &mut Timeline::new(Box::new(std::io::sink()))).unwrap();
    // Twelve of twenty are hit; one is somebody else's and never worked.
    assert_eq!(figures(&rows), [(13, 19), (13, 19), (13, 19), (1, 19), (13, 7)]);
}

#[test]
fn the_replacement_brings_back_every_real_add_on_of_the_expired_intermediate() {
    let Some(folder) = real::folder_or_skip("the replay on the real add-ons of 2019") else { return };
    let material = Material::real(&folder).unwrap();
    assert_eq!((material.expected.len(), material.hit().count()), (52, 15));
    let rows = replay::run(&material, &mut Timeline::new(Box::new(std::io::sink()))).unwrap();
    assert_eq!(rows.len(), 5);
}

/// For each agent, how many add-ons were disabled before and how many are enabled after.
fn figures(rows: &[Row]) -> Vec<(usize, usize)> {
    rows.iter().map(|row| (row.disabled_before, row.enabled_after)).collect()
}
