//! A SIP phone on tokio: sockets, WAV files and captures around the machines of [`sansip`].
//!
//! ```no_run
//! # async fn phone() -> Result<(), sansip_tokio::Error> {
//! use sansip_tokio::Phone;
//!
//! let phone = Phone::bind("0.0.0.0:0").await?;
//! let line = phone.line("sip:100@192.0.2.1", "secret")?;
//! line.register().await?;
//! let call = line.call("600").await?;
//! call.play("hello.wav").await?;
//! call.send_digits("1234#").await?;
//! # Ok(())
//! # }
//! ```
//!
//! A [`Phone`] has accounts ([`Line`]) and [`Call`]s. Handles act at once and then wait for the
//! call's or registration's state, so that any of these futures may be dropped. Dropping a call
//! hangs it up; [`Phone::shutdown`] ends everything politely.
//!
//! [`Phone::incoming`] gives incoming calls, [`Phone::events`] everything that happens, and
//! [`Phone::trace`] every message on the wire.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod call;
mod clock;
mod driver;
mod error;
mod event;
mod journal;
mod line;
mod media;
mod message;
mod net;
mod phone;
mod recording;
mod request;
mod shared;
pub mod sound;
mod state;
pub mod trace;
pub mod wav;

pub use call::Call;
pub use error::Error;
pub use event::{EVENTS_MAX, Event, Events};
pub use line::{Binding, Dial, Line};
pub use message::Message;
pub use phone::{Audio, GOODBYE_LIMIT, Phone, Settings};
pub use recording::Recording;
pub use request::{IncomingRequest, Response};
/// The core's vocabulary, so that an application needs only this crate.
pub use sansip;
pub use sansip::endpoint::{Account, Body, Config, CustomHeader, Methods, Reason};
pub use sansip::journal::Secrets;
pub use state::Phase;

/// The README's code is compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
