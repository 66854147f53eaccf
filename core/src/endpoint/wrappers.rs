//! The typed commands: one line each around [`Endpoint::command`].

use crate::sdp::LocalMedia;
use crate::time::Instant;

use super::{
    Account, AccountId, Body, CallId, Command, CustomHeader, Endpoint, Error, OutgoingCall,
    OutgoingRequest, Reply, RequestId,
};

impl Endpoint<'_> {
    /// Add an account; nothing is sent yet.
    ///
    /// # Errors
    /// As all commands: [`Error`], and nothing has changed then.
    pub fn add_account(&mut self, now: Instant, account: Account<'_>) -> Result<AccountId, Error> {
        match self.command(now, Command::AddAccount(account))? {
            Reply::Account(account) => Ok(account),
            _ => Err(Error::State),
        }
    }

    /// Forget an account; its calls end. Nothing is un-registered.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn remove_account(&mut self, now: Instant, account: AccountId) -> Result<(), Error> {
        self.command(now, Command::RemoveAccount(account)).map(drop)
    }

    /// Register now and keep the registration alive.
    ///
    /// # Errors
    /// [`Error::Gone`], or [`Error::State`] for an account without a registrar.
    pub fn register(&mut self, now: Instant, account: AccountId) -> Result<(), Error> {
        self.command(now, Command::Register(account)).map(drop)
    }

    /// Remove our own binding, and only that.
    ///
    /// # Errors
    /// As [`Endpoint::register`].
    pub fn unregister(&mut self, now: Instant, account: AccountId) -> Result<(), Error> {
        self.command(now, Command::Unregister(account)).map(drop)
    }

    /// Ask the registrar for all bindings.
    ///
    /// # Errors
    /// As [`Endpoint::register`].
    pub fn query_bindings(&mut self, now: Instant, account: AccountId) -> Result<(), Error> {
        self.command(now, Command::QueryBindings(account)).map(drop)
    }

    /// Place a call.
    ///
    /// # Errors
    /// [`Error`], such as [`Error::NoRoom`] or [`Error::Invalid`] for a target that is no URI.
    pub fn call(&mut self, now: Instant, call: OutgoingCall<'_>) -> Result<CallId, Error> {
        match self.command(now, Command::Call(call))? {
            Reply::Call(call) => Ok(call),
            _ => Err(Error::State),
        }
    }

    /// Send a provisional response to an incoming call, with early media where `media` is given.
    ///
    /// # Errors
    /// [`Error::State`] unless the call rings; [`Error::NotAcceptable`] for media.
    pub fn progress(
        &mut self,
        now: Instant,
        call: CallId,
        status: u16,
        media: Option<LocalMedia>,
    ) -> Result<(), Error> {
        self.command(now, Command::Progress { call, status, media, headers: &[] }).map(drop)
    }

    /// Accept an incoming call.
    ///
    /// # Errors
    /// [`Error::State`] unless the call rings; [`Error::NotAcceptable`] where the offer has nothing
    /// for this media: reject the call then.
    pub fn answer(&mut self, now: Instant, call: CallId, media: LocalMedia) -> Result<(), Error> {
        self.command(now, Command::Answer { call, media, headers: &[] }).map(drop)
    }

    /// Refuse an incoming call with a final response, 300 to 699.
    ///
    /// # Errors
    /// [`Error::State`] unless the call rings, [`Error::Invalid`] for another status.
    pub fn reject(&mut self, now: Instant, call: CallId, status: u16) -> Result<(), Error> {
        self.command(now, Command::Reject { call, status, headers: &[] }).map(drop)
    }

    /// End a call in whatever state it is.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn hang_up(&mut self, now: Instant, call: CallId) -> Result<(), Error> {
        self.command(now, Command::HangUp(call)).map(drop)
    }

    /// Put the peer on hold.
    ///
    /// # Errors
    /// [`Error::State`] unless the call is up and no other change is under way.
    pub fn hold(&mut self, now: Instant, call: CallId) -> Result<(), Error> {
        self.command(now, Command::Hold(call)).map(drop)
    }

    /// Take the peer off hold.
    ///
    /// # Errors
    /// As [`Endpoint::hold`].
    pub fn resume(&mut self, now: Instant, call: CallId) -> Result<(), Error> {
        self.command(now, Command::Resume(call)).map(drop)
    }

    /// The media driver heard nothing for its limit.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn media_silent(&mut self, now: Instant, call: CallId) -> Result<(), Error> {
        self.command(now, Command::MediaSilent(call)).map(drop)
    }

    /// Send a request that belongs to no call.
    ///
    /// # Errors
    /// [`Error`], such as [`Error::Invalid`] for a method that belongs to calls.
    pub fn request(
        &mut self,
        now: Instant,
        request: OutgoingRequest<'_>,
    ) -> Result<RequestId, Error> {
        match self.command(now, Command::Request(request))? {
            Reply::Request(request) => Ok(request),
            _ => Err(Error::State),
        }
    }

    /// Send a request inside a call.
    ///
    /// # Errors
    /// As [`Endpoint::request`], and [`Error::State`] unless the call is up.
    pub fn request_in_call(
        &mut self,
        now: Instant,
        call: CallId,
        method: &str,
        headers: &[CustomHeader<'_>],
        body: Option<Body<'_>>,
    ) -> Result<RequestId, Error> {
        match self.command(now, Command::RequestInCall { call, method, headers, body })? {
            Reply::Request(request) => Ok(request),
            _ => Err(Error::State),
        }
    }

    /// Answer a request that came as an event, with 200 to 699.
    ///
    /// # Errors
    /// [`Error::Gone`] where it was answered for us meanwhile.
    pub fn respond(
        &mut self,
        now: Instant,
        request: RequestId,
        status: u16,
        headers: &[CustomHeader<'_>],
        body: Option<Body<'_>>,
    ) -> Result<(), Error> {
        self.command(now, Command::Respond { request, status, headers, body }).map(drop)
    }
}
