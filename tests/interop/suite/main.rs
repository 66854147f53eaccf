//! sansip against real peers: Asterisk, SIPp, baresip and Kamailio. Evidence comes from the far end.
//!
//! `./ci.sh interop` runs it. It starts an Asterisk of its own on `INTEROP_IP` (127.0.0.40), and
//! leaves it running: `tests/interop/asterisk-down.sh` ends it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod asterisk;
mod baresip;
mod dispatcher;
mod peers;
mod sipp;
