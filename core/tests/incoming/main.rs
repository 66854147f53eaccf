//! Calls that come in, from a scripted caller.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod changes;
mod ends;
mod refusals;
mod ways;

use sansip::endpoint::CallId;
use support::script::Scene;

fn answer(scene: &mut Scene, call: CallId) {
    scene.node.endpoint.answer(scene.now, call, Scene::media()).unwrap();
}
