//! What a user is told of the registration, against what it asks for and what the registrar said.

use sansip::endpoint::Reason;
use sansip::time::{Duration, Instant};

use super::Failures;
use crate::phone::{Operation, Told};
use crate::wire::{Wire, uri_of, user_of};

/// The registration of one phone.
#[derive(Debug, Default)]
pub(super) struct Registration {
    user: String,
    wanted: bool,
    /// When a REGISTER must have gone out.
    due_at: Option<Instant>,
}

impl Registration {
    pub(super) fn new(user: &str) -> Self {
        Self { user: user.to_owned(), ..Self::default() }
    }

    pub(super) fn performed(
        &mut self,
        now: Instant,
        node: usize,
        operation: &Operation,
        failures: &mut Failures,
    ) {
        let wanted = match operation {
            Operation::Register => true,
            Operation::Unregister => false,
            _ => return,
        };
        if self.due_at.take().is_some_and(|at| at < now) {
            failures.add(now, node, 11, "a failed registration was not tried again");
        }
        self.wanted = wanted;
    }

    /// The node stands still until then, and what was due before comes after.
    pub(super) fn stalled(&mut self, until: Instant) {
        self.due_at = self.due_at.map(|at| at.max(until + PATIENCE));
    }

    /// A REGISTER went out.
    pub(super) fn sent(&mut self) {
        self.due_at = None;
    }

    pub(super) fn told(
        &mut self,
        now: Instant,
        node: usize,
        told: &Told,
        message: Option<&[u8]>,
        failures: &mut Failures,
    ) {
        match told {
            // RFC 3261 s10.3 step 8: a 200 lists all bindings. One that lists nothing, and does
            // not even say for how long, binds nobody.
            Told::Registered { .. } => {
                let Some(wire) = message.and_then(Wire::read) else { return };
                let contacts = wire.values("contact");
                let ours = |contact: &&str| user_of(uri_of(contact)) == Some(self.user.as_str());
                let bound = match contacts.is_empty() {
                    true => wire.header("expires").is_some(),
                    false => contacts.iter().any(ours),
                };
                if !bound {
                    failures.add(
                        now,
                        node,
                        11,
                        "is told to be registered by a 200 without binding",
                    );
                }
            }
            // RFC 3261 s21.5: a failure of the server's, or of the way there, which passes; so it
            // is tried again, ever more slowly (RFC 5626 s4.5). Where it was the end of a
            // registration that failed, and a new one is wanted meanwhile, that begins at once.
            Told::RegistrationFailed { reason, retry_s } if self.wanted => {
                let passes = matches!(
                    reason,
                    Reason::TimedOut
                        | Reason::Unreachable
                        | Reason::Rejected(408 | 500 | 502 | 503 | 504)
                );
                let wait = |retry_s: u32| Duration::from_secs(u64::from(retry_s));
                let retry_s = retry_s.or(passes.then_some(0));
                self.due_at = retry_s.map(|retry_s| now + wait(retry_s) + PATIENCE);
            }
            _ => {}
        }
    }
}

/// A name may have to be looked up first, timers are late, and a time is told in whole seconds.
const PATIENCE: Duration = Duration::from_secs(10);
