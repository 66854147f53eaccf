//! The flows that RFC 3665 and RFC 5407 draw, as their user agents see them.
//!
//! Not here, with the reason:
//!
//! | flow | why |
//! |---|---|
//! | 3665 3.3, the second proxy's credentials | an account has credentials for one realm: what a second one does is shown |
//! | 3665 3.4, the second proxy | no look-up of alternative servers yet: what happens without is shown |
//! | 3665 3.7, Alice's side | our own media cannot move within a call yet |
//! | 5407 3.1.2 and 3.1.3, Alice sends BYE in the early dialog | we send CANCEL: "not recommended" there |
//! | 5407 3.3.2 | UPDATE is not supported: it gets 405 |
//! | 5407 3.3.3 | REFER is not supported: it gets 405 in every state |
//! | 5407 appendix E, figure 7 | PRACK is not supported |
//! | messages between proxies | a user agent does not see them |
//!
//! Where we do something else than is drawn, the flow says so in a comment.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../support/mod.rs"]
mod support;

mod player;
mod rfc3665_registration;
mod rfc3665_session;
mod rfc5407;
