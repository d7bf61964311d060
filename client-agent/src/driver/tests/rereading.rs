//! Which passes take remembered content for granted, and which read everything.

use super::AFTER;
use crate::driver::Verify;
use crate::examine::Reread;
use crate::passes::Pass;
use crate::scene::{Scene, hold, install};

#[tokio::test]
async fn the_periodic_pass_reads_everything_and_a_recipes_pass_what_changed() {
    let mut scene = Scene::new();
    assert_eq!(scene.run().await.pass.kind, Pass::Periodic);
    assert_eq!(scene.addons.take_rereads(), [Reread::All]);
    scene.open(install("replace"));
    assert_eq!(scene.run().await.pass.kind, Pass::RecipeAll);
    assert_eq!(scene.addons.take_rereads(), [Reread::Changed]);
    // Both in one run: what the recipe's check took for granted is read again for the pass.
    scene.clock.set(AFTER);
    scene.end("replace");
    scene.withdraw("replace");
    assert_eq!(scene.run().await.pass.kind, Pass::Periodic);
    assert_eq!(scene.addons.take_rereads().last(), Some(&Reread::All));
}

#[tokio::test]
async fn everything_is_read_and_verified_now_where_that_is_asked() {
    let mut scene = Scene::new();
    scene.run().await;
    assert_eq!(scene.run().await.pass.kind, Pass::NewAndChanged);
    scene.addons.take_rereads();
    scene.verify = Verify::Now;
    assert_eq!(scene.run().await.pass.kind, Pass::Periodic);
    assert_eq!(scene.addons.take_rereads(), [Reread::All]);
    // A hold goes on to be respected: what has merely expired stays enabled.
    scene.verify = Verify::WhenDue;
    scene.clock.set(AFTER);
    scene.open(hold("hold"));
    scene.run().await;
    scene.addons.take_rereads();
    scene.verify = Verify::Now;
    assert_eq!(scene.run().await.pass.kind, Pass::RecipeAll);
    assert_eq!(scene.addons.take_rereads(), [Reread::All]);
    assert!(scene.enabled("old.xpi"));
}
