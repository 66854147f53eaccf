//! Simulate whole phones: registration, calls, media and digits over a hostile network, in virtual
//! time, repeatable bit for bit from a seed.
//!
//! A [`World`](world::World) holds phones (the library's own two machines), servers, and the
//! network between them. Nothing sleeps: an hour of calls takes milliseconds. An
//! [oracle](oracle::Oracle) reads every message and event and says what the RFCs forbid.
//!
//! Two phones over a bad network, as a user would test his own settings:
//!
//! ```
//! use sansip::time::Duration;
//! use sansip_sim::network::Link;
//! use sansip_sim::phone::{Operation, PhoneOptions};
//! use sansip_sim::world::World;
//!
//! let mut world = World::new(7);
//! let pbx = world.add_pbx(8); // accounts 100 to 110
//! let server = world.address(pbx);
//! let alice = world.add_phone(PhoneOptions::registered("100", "test100", server));
//! let bob = world.add_phone(PhoneOptions::registered("101", "test101", server));
//! world.network().set_default(Link { loss: 0.2, ..Link::BAD });
//!
//! for phone in [alice, bob] {
//!     world.perform(phone, Operation::Register)?;
//! }
//! let registered = world.run_until(Duration::from_secs(30), |world| {
//!     [alice, bob].iter().all(|phone| world.phone(*phone).is_some_and(|p| p.is_registered()))
//! });
//! assert!(registered);
//!
//! world.perform(alice, Operation::Call { target: "101".to_owned(), late_offer: false })?;
//! let rings = world.run_until(Duration::from_secs(30), |world| world.current_call(bob).is_some());
//! assert!(rings);
//! let bobs = world.current_call(bob).ok_or("no call")?;
//! world.perform(bob, Operation::Answer(bobs))?;
//! world.run(Duration::from_secs(20));
//!
//! let alices = world.current_call(alice).ok_or("the call did not hold")?;
//! world.perform(alice, Operation::Digits(alices, "42".to_owned()))?;
//! world.run(Duration::from_secs(5));
//! let talk = world.phone(bob).and_then(|phone| phone.call(bobs)).ok_or("gone")?;
//! assert_eq!(talk.digits, "42");
//!
//! world.perform(alice, Operation::HangUp(alices))?;
//! world.run(Duration::from_secs(60));
//! assert_eq!(world.failures(), []);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `cargo run --release -p sansip-sim --bin sim -- --seeds 0..1000` draws faults, features and
//! users from seeds ([`swarm`]) and prints how to repeat what fails.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod attacker;
mod journal;
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
