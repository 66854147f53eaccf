//! A small PBX on the same core, for trying, testing and simulating phones.
//!
//! Accounts 100 to 110 register with the password `test` and their number in the realm `sansip`.
//!
//! | number | what it does |
//! |---|---|
//! | 600 | echoes audio and digits |
//! | 601 | plays a 440 Hz tone |
//! | 602 | reads four digits, reports them, hangs up |
//! | 603 | answers and waits |
//! | 604 | records |
//! | 605 | sends the digits `1234#` |
//! | 606 | is busy |
//! | 607 | rings for ever |
//! | 608 | hangs up after two seconds |
//! | 609 | early media: 183 with a tone for two seconds, then an answer |
//! | 622 | reads sixteen digits of any kind, or until five seconds of silence |
//! | 1XX | calls the phone that is registered under that number through |
//!
//! [`Pbx`] is a machine without sockets or clock, with the three verbs of the core: a driver feeds
//! packets in by [`Pbx::handle`], carries out what [`Pbx::poll_action`] says, and comes back at
//! [`Pbx::poll_timeout`]. `pbx::driver` (feature `tokio`) is one such driver, the simulator
//! another.

#[cfg(feature = "tokio")]
pub mod driver;
mod line;
mod registrar;
mod stream;
mod switch;

pub use switch::{Action, Input, Options, Pbx};
