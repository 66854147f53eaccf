use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::Stream;
use sansip::endpoint::{AccountId, CallId, Reason, RequestId, Stage};
use sansip::rtp::Digit;
use sansip::sdp::MediaPlan;
use tokio::sync::mpsc;

use crate::message::Message;

/// What happened, for an application that wants to see everything; the handles do without.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The registrar holds our binding.
    Registered {
        /// Whose.
        line: AccountId,
        /// Granted life, seconds.
        expires_s: u32,
        /// The 200.
        message: Option<Message>,
    },
    /// The binding is not, or no longer, at the registrar.
    RegistrationFailed {
        /// Whose.
        line: AccountId,
        /// Why.
        reason: Reason,
        /// When it is tried again, seconds from now; `None`: not by itself.
        retry_s: Option<u32>,
        /// The final response.
        message: Option<Message>,
    },
    /// Our binding is removed.
    Unregistered {
        /// Whose.
        line: AccountId,
    },
    /// Somebody calls; [`Phone::incoming`](crate::Phone::incoming) gives the call.
    Incoming {
        /// The new call.
        call: CallId,
        /// Whom.
        line: AccountId,
        /// The INVITE.
        message: Option<Message>,
    },
    /// An outgoing call got a provisional response.
    Progress {
        /// The call.
        call: CallId,
        /// 100 to 199.
        status: u16,
        /// The response.
        message: Option<Message>,
    },
    /// The audio stream of a call was agreed or changed, such as by a hold.
    Media {
        /// The call.
        call: CallId,
        /// How far the negotiation is.
        stage: Stage,
        /// The stream.
        plan: MediaPlan,
    },
    /// The call is up.
    Established {
        /// The call.
        call: CallId,
        /// The 2xx or the ACK.
        message: Option<Message>,
    },
    /// A DTMF digit came; [`Call::digit`](crate::Call::digit) gives it too.
    Digit {
        /// In which call.
        call: CallId,
        /// Which.
        digit: Digit,
    },
    /// A request came that the application takes;
    /// [`Phone::incoming_request`](crate::Phone::incoming_request) gives it.
    Request {
        /// The request.
        request: RequestId,
        /// Inside which call, if any.
        call: Option<CallId>,
        /// The request.
        message: Option<Message>,
    },
    /// The peer refused to hold or resume.
    HoldFailed {
        /// The call.
        call: CallId,
        /// Why.
        reason: Reason,
    },
    /// The call is over; exactly once a call.
    Ended {
        /// The call.
        call: CallId,
        /// Why.
        reason: Reason,
        /// The final response, BYE or CANCEL.
        message: Option<Message>,
    },
    /// So many events were lost because nobody took the earlier ones.
    Missed(u64),
}

/// The stream of a phone's events from when it was asked for.
///
/// It holds [`EVENTS_MAX`] events; those that find no room are lost and counted
/// ([`Event::Missed`]). It ends when the phone is shut down.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

impl Events {
    /// The next event, `None` after the phone was shut down.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(context)
    }
}

/// Everybody who listens.
#[derive(Default)]
pub(crate) struct Listeners(Vec<Listener>);

struct Listener {
    queue: mpsc::Sender<Event>,
    missed: u64,
}

impl Listeners {
    pub(crate) fn add(&mut self) -> Events {
        let (queue, events) = mpsc::channel(EVENTS_MAX);
        self.0.push(Listener { queue, missed: 0 });
        Events(events)
    }

    pub(crate) fn tell(&mut self, event: &Event) {
        self.0.retain_mut(|listener| listener.tell(event));
    }

    pub(crate) fn close(&mut self) {
        self.0.clear();
    }
}

impl Listener {
    /// Whether it still listens.
    fn tell(&mut self, event: &Event) -> bool {
        if self.missed > 0 && self.queue.try_send(Event::Missed(self.missed)).is_ok() {
            self.missed = 0;
        }
        match self.queue.try_send(event.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.missed += 1;
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }
}

/// Events that wait for one listener: some seconds of a busy phone.
pub const EVENTS_MAX: usize = 256;
