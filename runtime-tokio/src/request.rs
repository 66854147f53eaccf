use core::fmt;
use std::sync::Arc;

use sansip::endpoint::{Body, CallId, Command, CustomHeader, Reason, Reply, RequestId};
use tokio::sync::oneshot;

use crate::error::Error;
use crate::message::Message;
use crate::phone::Handle;
use crate::state::NewRequest;

/// The final response to a request of ours.
#[derive(Clone, Debug)]
pub struct Response {
    /// 200 to 699.
    pub status: u16,
    /// The whole response.
    pub message: Option<Message>,
}

/// A request of a peer that the application answers.
///
/// Answer it soon: after some seconds the endpoint answers 500 by itself.
pub struct IncomingRequest {
    phone: Arc<Handle>,
    new: NewRequest,
}

impl IncomingRequest {
    pub(crate) fn new(phone: Arc<Handle>, new: NewRequest) -> Self {
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

    /// The whole request.
    pub fn message(&self) -> Option<&Message> {
        self.new.message.as_ref()
    }

    /// The method, such as `MESSAGE`.
    pub fn method(&self) -> &str {
        let bytes = self.message().map_or(&b""[..], Message::bytes);
        let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
        str::from_utf8(method).unwrap_or_default()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.message().and_then(|message| message.view().ok()).map_or(&[], |view| view.body())
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
        self.phone.shared.command(Command::Respond { request, status, headers, body })?;
        Ok(())
    }
}

impl fmt::Debug for IncomingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingRequest")
            .field("id", &self.id())
            .field("message", &self.message())
            .finish_non_exhaustive()
    }
}

/// Sends a request by a command that answers [`Reply::Request`] and waits for its response.
pub(crate) async fn send(phone: &Handle, command: Command<'_>) -> Result<Response, Error> {
    let (sender, receiver) = oneshot::channel::<Result<Response, Reason>>();
    phone.shared.command_with(command, |state, reply| {
        if let Reply::Request(request) = reply {
            state.responses.insert(request, sender);
        }
    })?;
    receiver.await.map_err(|_| Error::Closed)?.map_err(Error::Failed)
}
