use core::fmt;
use std::sync::Arc;

use sansip::endpoint::{self, Account, AccountId, Body, Command, CustomHeader, OutgoingRequest};
use sansip::sip::{Contact, HeaderName, Uri};
use tokio::sync::watch;

use crate::call::Call;
use crate::error::Error;
use crate::message::Message;
use crate::phone::Handle;
use crate::request::{self, Response};
use crate::state::{Registration, RegistrationState};

/// An account of a phone. A clone is the same account; dropping it changes nothing.
#[derive(Clone)]
pub struct Line {
    phone: Arc<Handle>,
    id: AccountId,
    status: watch::Receiver<Registration>,
    server: Option<Server>,
}

/// Where an account's requests go first, for finding our address on that way.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    host: String,
    /// Also calls to other hosts go there.
    is_proxy: bool,
}

/// One device that is registered for an address of record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// Its Contact URI.
    pub uri: String,
    /// How long it lasts, seconds, where the registrar says so.
    pub expires_s: Option<u32>,
}

/// How a call is placed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dial<'c> {
    /// Headers for requests of this call.
    pub headers: &'c [CustomHeader<'c>],
    /// Send the INVITE without SDP and answer the peer's offer in the ACK.
    pub late_offer: bool,
}

impl Line {
    pub(crate) fn new(
        phone: Arc<Handle>,
        id: AccountId,
        status: watch::Receiver<Registration>,
        server: Option<Server>,
    ) -> Self {
        Self { phone, id, status, server }
    }

    /// Names the account in events.
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// Whether the registrar holds our binding, as far as we know.
    pub fn is_registered(&self) -> bool {
        self.status.borrow().state == RegistrationState::Registered
    }

    /// Registers and waits for the registrar's word; the registration is kept alive from then on.
    ///
    /// # Errors
    /// The registrar refused or did not answer. It may be tried again in the background all the
    /// same; [`Event::RegistrationFailed`](crate::Event::RegistrationFailed) says when.
    pub async fn register(&self) -> Result<(), Error> {
        match self.registration(Command::Register(self.id), true).await? {
            RegistrationState::Failed(reason) => Err(Error::Failed(reason)),
            RegistrationState::Registered | RegistrationState::Unregistered => Ok(()),
        }
    }

    /// Removes our own binding, and only that, and waits until it is gone.
    ///
    /// # Errors
    /// The registrar refused or did not answer.
    pub async fn unregister(&self) -> Result<(), Error> {
        match self.registration(Command::Unregister(self.id), false).await? {
            RegistrationState::Failed(reason) => Err(Error::Failed(reason)),
            RegistrationState::Registered | RegistrationState::Unregistered => Ok(()),
        }
    }

    async fn registration(
        &self,
        command: Command<'_>,
        wanted: bool,
    ) -> Result<RegistrationState, Error> {
        let mut status = self.status.clone();
        let mut before = 0;
        self.phone.shared.command_with(command, |state, _| {
            if let Some(line) = state.lines.get(&self.id) {
                line.send_modify(|line| line.wanted = wanted);
                before = line.borrow().news;
            }
        })?;
        let news = status.wait_for(|line| line.news != before).await;
        Ok(news.map_err(|_| Error::Closed)?.state)
    }

    /// Asks the registrar which devices are registered for this account.
    ///
    /// # Errors
    /// The registrar refused or did not answer.
    pub async fn bindings(&self) -> Result<Vec<Binding>, Error> {
        let mut status = self.status.clone();
        let mut before = 0;
        self.phone.shared.command_with(Command::QueryBindings(self.id), |state, _| {
            before = state.lines.get(&self.id).map_or(0, |line| line.borrow().queries);
        })?;
        let line = status.wait_for(|line| line.queries != before).await;
        let answer = line.map_err(|_| Error::Closed)?.bindings.clone();
        let answer = answer.ok_or(Error::Closed)?.map_err(Error::Failed)?;
        Ok(answer.as_ref().map(bindings).unwrap_or_default())
    }

    /// Calls and waits for the answer. `target` is a `sip:` URI or only a user at our registrar.
    ///
    /// Dropping the future gives the call up.
    ///
    /// # Errors
    /// The call was refused, not answered or not possible.
    pub async fn call(&self, target: &str) -> Result<Call, Error> {
        let call = self.dial(target).await?;
        call.established().await?;
        Ok(call)
    }

    /// Calls and returns at once, so that ringing and early media can be watched.
    ///
    /// # Errors
    /// The call is not possible.
    pub async fn dial(&self, target: &str) -> Result<Call, Error> {
        self.dial_with(target, Dial::default()).await
    }

    /// As [`Line::dial`], with headers and other choices.
    ///
    /// # Errors
    /// As [`Line::dial`].
    pub async fn dial_with(&self, target: &str, dial: Dial<'_>) -> Result<Call, Error> {
        let host = host_of(target);
        let host = match &self.server {
            Some(server) if server.is_proxy || host.is_none() => Some(server.host.clone()),
            _ => host,
        };
        let host = host.ok_or(Error::Refused(endpoint::Error::Invalid))?;
        let paths = self.phone.shared.net.resolve(&host, None, None).await;
        let local = paths.first().ok_or(Error::UnknownHost)?.local.ip();
        Call::dial(Arc::clone(&self.phone), self.id, target, dial, local)
    }

    /// Sends a request outside calls, such as MESSAGE or OPTIONS, and waits for its response.
    ///
    /// # Errors
    /// The request is not possible or got no response.
    pub async fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[CustomHeader<'_>],
        body: Option<Body<'_>>,
    ) -> Result<Response, Error> {
        let account = self.id;
        let request = OutgoingRequest { account, method, target, headers, body };
        request::send(&self.phone, Command::Request(request)).await
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Address of record (without a port) and registrar of `sip:USER@HOST:PORT`.
pub(crate) fn split(identity: &str) -> Result<(String, String), Error> {
    let invalid = Error::Refused(endpoint::Error::Invalid);
    let uri = Uri::parse(identity.as_bytes()).map_err(|_| invalid)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let host = uri.host().map(|host| text(host.as_bytes())).ok_or(invalid)?;
    let scheme = identity.split(':').next().unwrap_or_default();
    let registrar = match uri.port() {
        Some(port) => format!("{scheme}:{host}:{port}"),
        None => format!("{scheme}:{host}"),
    };
    match uri.user() {
        Some(user) => Ok((format!("{scheme}:{}@{host}", text(user)), registrar)),
        None => Err(invalid),
    }
}

/// Where an account's requests go first.
pub(crate) fn server(account: &Account<'_>) -> Option<Server> {
    let is_proxy = !account.outbound_proxy.is_empty();
    let uri = if is_proxy { account.outbound_proxy } else { account.registrar };
    Some(Server { host: host_of(uri)?, is_proxy })
}

/// The host of a URI, an IPv6 address without brackets.
fn host_of(uri: &str) -> Option<String> {
    let uri = Uri::parse(uri.as_bytes()).ok()?;
    let host = String::from_utf8_lossy(uri.host()?.as_bytes()).into_owned();
    Some(host.trim_start_matches('[').trim_end_matches(']').to_owned())
}

fn bindings(answer: &Message) -> Vec<Binding> {
    let Ok(view) = answer.view() else { return Vec::new() };
    let contacts = view.values(HeaderName::Contact);
    contacts
        .filter_map(|value| match Contact::parse(value) {
            Ok(Contact::Address(address)) => Some(Binding {
                uri: String::from_utf8_lossy(address.uri().as_bytes()).into_owned(),
                expires_s: address
                    .param(b"expires")
                    .and_then(|value| str::from_utf8(value).ok()?.parse().ok()),
            }),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_belongs_to_the_registrar_and_not_to_the_address_of_record() {
        let split = |identity| split(identity).ok();
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(split("sip:100@h:5070"), pair("sip:100@h", "sip:h:5070"));
        assert_eq!(split("sip:a@[::1]"), pair("sip:a@[::1]", "sip:[::1]"));
        assert_eq!(split("sip:h"), None);
        assert_eq!(split("100"), None);
    }

    #[test]
    fn a_host_is_found_in_a_uri_but_not_in_a_number() {
        assert_eq!(host_of("sip:1@[::1]:5"), Some("::1".to_owned()));
        assert_eq!(host_of("sip:1@example.com"), Some("example.com".to_owned()));
        assert_eq!(host_of("600"), None);
    }
}
