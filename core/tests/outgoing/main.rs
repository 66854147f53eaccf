//! Calls that we place, against a scripted server and callee.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod challenges;
mod changes;
mod ends;
mod forks;
mod headers;
mod routes;

use support::Heard;
use support::script::{SERVER, Scene, Sent};

const CONTACT: &str = "Contact: <sip:bob@192.0.2.20>";

/// A call through the server, which the account knows.
fn call_by_server(scene: &mut Scene) -> (sansip::endpoint::CallId, Sent) {
    let (call, invite) = scene.call_to("600", |_| {});
    assert_eq!(invite.uri(), "sip:600@192.0.2.10");
    assert_eq!(invite.to.to_string(), SERVER);
    (call, invite)
}

fn progress(heard: &[Heard]) -> Vec<u16> {
    heard
        .iter()
        .filter_map(|heard| match heard {
            Heard::Progress(_, status) => Some(*status),
            _ => None,
        })
        .collect()
}
