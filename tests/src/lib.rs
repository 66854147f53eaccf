//! Simulate whole phones: registration, calls, media and digits over a hostile network, in virtual
//! time, repeatable bit for bit from a seed.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod network;
pub mod oracle;
pub mod pbx;
pub mod phone;
pub mod random;
pub mod server;
pub mod swarm;
pub mod trace;
pub mod wire;
pub mod world;
