//! A SIP phone for microcontrollers: the machines of [`sansip`] over embassy-net.
//!
//! No allocator, no `unsafe`: all memory stands in one [`Resources`] static, a [`Runner`] is one
//! task, and [`Phone`], [`Line`] and [`Call`] are handles with the same verbs as in
//! `sansip-tokio`.
//!
//! ```no_run
//! use sansip_embassy::{Error, Phone, Resources, Runner, Settings};
//!
//! # const HELLO: &[u8] = &[];
//! /// The one task that does the work: `spawner.spawn(run(runner)?)`.
//! async fn run(mut runner: Runner<'static>) -> ! {
//!     runner.run().await
//! }
//!
//! async fn call(phone: Phone<'static>) -> Result<(), Error> {
//!     let line = phone.line("sip:100@192.0.2.1", "secret")?;
//!     line.register().await?;
//!     let call = line.call("600").await?;
//!     call.play(HELLO).await?; // a WAV in flash
//!     call.send_digits("1234#").await?;
//!     call.hang_up().await?;
//!     Ok(())
//! }
//!
//! fn start(
//!     stack: embassy_net::Stack<'static>,
//!     resources: &'static mut Resources<'static>,
//!     entropy: [u8; 32],
//! ) -> (Phone<'static>, Runner<'static>) {
//!     Phone::bind(stack, resources, Settings::default(), entropy)
//! }
//! ```
//!
//! # What the board gives
//! - **The network**: an embassy-net stack with room for `1 + 2 * CALLS` UDP sockets beside its own
//!   for DHCP and DNS, and its runner in a task.
//! - **Entropy**: 32 bytes that differ at each boot, from the chip's random generator. All
//!   identifiers follow from them. With the same bytes after a restart a server takes the first
//!   REGISTER for a repetition of the old one and answers nothing new for half a minute.
//! - **Time**: a driver for embassy-time. One that counts interrupts drifts, and so does audio:
//!   read a free-running counter.
//! - **Audio**: a [`Source`](sansip::media::Source) and a [`Sink`](sansip::media::Sink) at 8 kHz
//!   mono, or nothing: a WAV in flash, a tone and silence are there.
//!
//! # Waiting
//! Handles act at once and then wait for the state of the call or registration, so that every
//! future may be dropped. At most eight tasks can wait at a time; more work too, but poll in turn.
//! Handles and runner belong to one executor: they share a `RefCell`.
#![no_std]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod call;
mod convert;
mod error;
mod line;
mod lookup;
mod media;
mod phone;
mod recording;
mod request;
mod resources;
mod runner;
mod settings;
mod sockets;
mod state;
pub mod trace;

pub use call::{Call, Digits};
pub use error::Error;
pub use line::{Dial, Line};
pub use phone::{GOODBYE_LIMIT, Phone};
pub use recording::Recording;
pub use request::{IncomingRequest, Response};
pub use resources::Resources;
pub use runner::{Events, Runner};
/// The core's vocabulary, so that an application needs only this crate.
pub use sansip;
pub use sansip::endpoint::{Account, Body, Config, CustomHeader, Event, Methods, Reason};
pub use settings::{Advertised, Settings};
pub use state::Phase;
