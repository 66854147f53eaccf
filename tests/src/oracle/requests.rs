//! Transactions and dialogs, as far as the wire shows them.
//!
//! `clients` judges the requests that a node sends and what it does with their responses, `servers`
//! the responses that it gives, `settling` what must be true when a turn, or the run, is over.

mod clients;
mod servers;
mod settling;

use std::collections::{BTreeMap, BTreeSet};

use core::net::SocketAddr;

use sansip::time::{Duration, Instant};

use super::{Failures, Origin, TRANSACTION_LIFE};
use crate::trace::key;
use crate::wire::Wire;

use clients::{Accepted, Client};
use servers::Served;

/// The requests that one node sent and received.
#[derive(Debug, Default)]
pub(super) struct Requests {
    clients: BTreeMap<u64, Client>,
    servers: BTreeMap<u64, Served>,
    /// The last CSeq number of a direction of a dialog.
    numbers: BTreeMap<u64, u32>,
    /// The last INVITE that was sent in a dialog.
    invites: BTreeMap<u64, u64>,
    /// ACKs for 2xx sent, by Call-ID, peer's tag and number.
    acks: BTreeMap<u64, u32>,
    /// 2xx to INVITE that came, by the same.
    accepted: BTreeMap<u64, Accepted>,
    /// Dialogs in which a BYE was sent or came: Call-ID and the peer's tag.
    ended: BTreeSet<u64>,
    /// What came for a Call-ID.
    seen: BTreeMap<u64, Seen>,
    /// The highest CSeq number that came in a direction of a dialog.
    heard: BTreeMap<u64, u32>,
    /// ACKs that are owed at the end of this turn.
    owed: Vec<Owed>,
    /// The node forgot what it did before: what comes for that is not answered.
    pub(super) blind: bool,
    pub(super) send_failed: bool,
    /// A name could not be looked up.
    pub(super) name_failed: bool,
    /// Lingering transactions may give way to new ones.
    pub(super) tiny: bool,
    /// The node hears and does nothing until then; shortly after, its timers and what came
    /// meanwhile are dealt with in any order.
    pub(super) stalled_until: Option<Instant>,
}

/// What came with one Call-ID.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) accepted: bool,
    pub(super) bye: bool,
    pub(super) cancel: bool,
    /// Any request of the peer in the dialog: then it had our 2xx.
    pub(super) inside: bool,
    pub(super) statuses: Vec<u16>,
    pub(super) sent_bye: bool,
    pub(super) sent_accepted: bool,
    invites: Vec<u64>,
}

/// What a final response to INVITE asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Due {
    /// An ACK in the dialog, for a 2xx.
    Ack,
    /// An ACK with the branch of the INVITE, for a refusal.
    AckByBranch,
    /// A BYE, for a 2xx of a fork that nobody wants.
    Bye,
}

#[derive(Debug)]
struct Owed {
    key: u64,
    count: u32,
    due: Due,
    again: bool,
    text: String,
}

impl Requests {
    pub(super) fn seen(&self, call_id: &str) -> Option<&Seen> {
        self.seen.get(&key(&[call_id]))
    }

    /// How many different INVITEs outside a dialog came with a Call-ID.
    pub(super) fn first_invites(&self, call_id: &str) -> usize {
        self.seen(call_id).map_or(0, |seen| seen.invites.len())
    }

    // ---- sent

    pub(super) fn sent(
        &mut self,
        now: Instant,
        node: usize,
        to: SocketAddr,
        wire: &Wire<'_>,
        bytes: &[u8],
        failures: &mut Failures,
    ) {
        let (Some(branch), Some((number, method)), Some(call_id)) =
            (wire.branch(), wire.cseq(), wire.call_id())
        else {
            failures.add(
                now,
                node,
                1,
                format!("sent without branch, CSeq or Call-ID: {}", wire.start),
            );
            return;
        };
        if !wire.is_request() {
            self.sent_response(now, node, to, wire, bytes, failures);
        } else if method == "ACK" {
            self.sent_ack(now, node, wire, failures);
        } else {
            self.sent_request(
                now,
                node,
                wire,
                bytes,
                (to, branch, number, method, call_id),
                failures,
            );
        }
    }

    // ---- arrived

    pub(super) fn arrived(
        &mut self,
        now: Instant,
        from: SocketAddr,
        wire: &Wire<'_>,
        origin: Origin,
    ) {
        if wire.is_request() {
            self.arrived_request(now, from, wire, origin);
        } else if origin == Origin::Genuine {
            self.arrived_response(now, wire);
        }
    }
}

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// Longer than T1, the latest timers and a long way.
const PERSISTENT: Duration = Duration::from_secs(8);
const T4: Duration = Duration::from_secs(5);
/// What a node missed while it was stalled shows for twice 64 * T1.
const CATCHING_UP: Duration = Duration::from_secs(64);
const ALMOST_LIFE: Duration = Duration::from_secs(30);
/// A request that a phone's user may take long to answer: an INVITE, 180 s and more.
const UNANSWERED: Duration = Duration::from_secs(200);
