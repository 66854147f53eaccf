use sansip::endpoint::{Body, CallId, Command, CustomHeader, Reason, Reply, RequestId};
use sansip::sip::Message;

use crate::error::Error;
use crate::phone::Phone;
use crate::state::State;

/// The final response to a request of ours. Its headers and body pass the sink of
/// [`Runner::with_events`](crate::Runner::with_events), which keeps what it needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Response {
    /// 200 to 699.
    pub status: u16,
}

/// A request of a peer that the application answers.
///
/// Answer it soon: after some seconds the endpoint answers 500 by itself.
pub struct IncomingRequest<'d> {
    phone: Phone<'d>,
    new: NewRequest,
}

/// A request that nobody took yet.
#[derive(Clone, Copy)]
pub(crate) struct NewRequest {
    pub(crate) request: RequestId,
    pub(crate) call: Option<CallId>,
}

impl<'d> IncomingRequest<'d> {
    pub(crate) const fn new(phone: Phone<'d>, new: NewRequest) -> Self {
        Self { phone, new }
    }

    /// Which request.
    pub fn id(&self) -> RequestId {
        self.new.request
    }

    /// The call that it came inside of, if any.
    pub fn call(&self) -> Option<CallId> {
        self.new.call
    }

    /// Looks at the whole request: method, headers, body. `None` once it timed out.
    pub fn message<T>(&self, look: impl FnOnce(&Message<'_>) -> T) -> Option<T> {
        let state = self.phone.0.step().ok()?;
        state.endpoint.request_message(self.new.request).map(|message| look(&message))
    }

    /// Answers with a final response, 200 to 699.
    ///
    /// # Errors
    /// The request was answered or timed out, or the response is not what SIP allows.
    pub fn respond(
        self,
        status: u16,
        headers: &[CustomHeader<'_>],
        body: Option<Body<'_>>,
    ) -> Result<(), Error> {
        let request = self.new.request;
        self.phone.0.command(Command::Respond { request, status, headers, body }).map(drop)
    }
}

/// A request of ours, with what came of it.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    request: RequestId,
    outcome: Option<Result<u16, Reason>>,
}

/// What waits for an answer, ours and the peers'.
#[derive(Default)]
pub(crate) struct Requests {
    pub(crate) new: heapless::Deque<NewRequest, REQUESTS_MAX>,
    asked: [Option<Asked>; REQUESTS_MAX],
}

impl Requests {
    pub(crate) fn answered(&mut self, request: RequestId, outcome: Result<u16, Reason>) {
        for asked in self.asked.iter_mut().flatten() {
            if asked.request == request {
                asked.outcome = Some(outcome);
            }
        }
    }

    fn find(&mut self, request: RequestId) -> Option<&mut Option<Asked>> {
        self.asked.iter_mut().find(|asked| asked.is_some_and(|asked| asked.request == request))
    }
}

/// Sends a request by a command that answers [`Reply::Request`] and waits for its response.
pub(crate) async fn send(phone: Phone<'_>, command: Command<'_>) -> Result<Response, Error> {
    let request = {
        let mut state = phone.0.step()?;
        let state: &mut State<'_> = &mut state;
        let full = Error::Refused(sansip::endpoint::Error::NoRoom);
        let free = state.requests.asked.iter().position(Option::is_none).ok_or(full)?;
        let Reply::Request(request) = state.command(command)? else { return Err(Error::Closed) };
        if let Some(place) = state.requests.asked.get_mut(free) {
            *place = Some(Asked { request, outcome: None });
        }
        request
    };
    let waiting = Waiting { phone, request };
    let outcome = phone.0.wait(|state| {
        if state.closed {
            return Some(Err(Error::Closed));
        }
        let asked = state.requests.find(request).and_then(|asked| *asked);
        Some(asked?.outcome?.map_err(Error::Failed))
    });
    let outcome = outcome.await;
    drop(waiting);
    Ok(Response { status: outcome? })
}

/// Gives the place back, also where the future was dropped.
struct Waiting<'d> {
    phone: Phone<'d>,
    request: RequestId,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Ok(mut state) = self.phone.0.step()
            && let Some(asked) = state.requests.find(self.request)
        {
            *asked = None;
        }
    }
}

/// Requests of ours that run at a time, and requests of peers that wait to be taken; a peer's
/// further ones are answered 500 after a while.
const REQUESTS_MAX: usize = 2;
