//! Digest access authentication (RFC 7616, for SIP RFC 8760): what a client answers to a
//! challenge, and what a server needs to challenge and verify.
//!
//! Everything is computed into fixed arrays. Values are bytes as they stand between the quotes
//! of the header.

mod client;
mod hash;
mod server;

#[cfg(test)]
mod tests;

pub(crate) use client::answerable;
pub use client::{Choice, Credentials, Offered, choose};
pub use hash::{Algorithm, Hex, Parameters, Qop, Secret, userhash};
pub use server::{
    Answer, Challenger, Expected, NONCE_LENGTH, Nonce, Seen, Verdict, write_challenge,
};
