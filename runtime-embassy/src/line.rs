use heapless::String;
use sansip::endpoint::{
    self, AccountId, Body, Command, CustomHeader, OutgoingCall, OutgoingRequest, Reply,
};
use sansip::sip::Uri;

use crate::call::Call;
use crate::error::Error;
use crate::phone::Phone;
use crate::request::{self, Response};

/// An account of a phone. A copy is the same account.
#[derive(Clone, Copy)]
pub struct Line<'d> {
    phone: Phone<'d>,
    id: AccountId,
}

/// How a call is placed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dial<'c> {
    /// Headers for requests of this call.
    pub headers: &'c [CustomHeader<'c>],
    /// Send the INVITE without SDP and answer the peer's offer in the ACK.
    pub late_offer: bool,
}

impl<'d> Line<'d> {
    pub(crate) const fn new(phone: Phone<'d>, id: AccountId) -> Self {
        Self { phone, id }
    }

    /// Names the account.
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// Whether the registrar holds our binding, as far as we know.
    pub fn is_registered(&self) -> bool {
        let state = self.phone.0.step();
        state.is_ok_and(|mut state| state.line(self.id).is_some_and(|line| line.registered))
    }

    /// Registers and waits for the registrar's word; the registration is kept alive from then on.
    ///
    /// # Errors
    /// The registrar refused or did not answer. It may be tried again in the background all the
    /// same.
    pub async fn register(&self) -> Result<(), Error> {
        self.registration(true).await
    }

    /// Removes our own binding, and only that, and waits until it is gone.
    ///
    /// # Errors
    /// The registrar refused or did not answer.
    pub async fn unregister(&self) -> Result<(), Error> {
        self.registration(false).await
    }

    async fn registration(&self, wanted: bool) -> Result<(), Error> {
        let mut before = 0;
        {
            let mut state = self.phone.0.step()?;
            if wanted {
                state.command(Command::Register(self.id))?;
            } else {
                state.command(Command::Unregister(self.id))?;
            }
            if let Some(line) = state.line(self.id) {
                line.wanted = wanted;
                before = line.answers;
            }
        }
        let news = self.phone.0.wait(|state| {
            if state.closed {
                return Some(Err(Error::Closed));
            }
            let line = state.line(self.id).filter(|line| line.answers != before)?;
            Some(line.outcome.result())
        });
        news.await
    }

    /// Calls and waits for the answer. `target` is a `sip:` URI or only a user at our registrar.
    ///
    /// Dropping the future gives the call up.
    ///
    /// # Errors
    /// The call was refused, not answered or not possible.
    pub async fn call(&self, target: &str) -> Result<Call<'d>, Error> {
        let call = self.dial(target).await?;
        call.established().await?;
        Ok(call)
    }

    /// Calls and returns at once, so that ringing and early media can be watched. While the
    /// network has no address, it waits for that.
    ///
    /// # Errors
    /// The call is not possible.
    pub async fn dial(&self, target: &str) -> Result<Call<'d>, Error> {
        self.dial_with(target, Dial::default()).await
    }

    /// As [`Line::dial`], with headers and other choices.
    ///
    /// # Errors
    /// As [`Line::dial`].
    pub async fn dial_with(&self, target: &str, dial: Dial<'_>) -> Result<Call<'d>, Error> {
        self.phone.0.wait(|state| (state.address.is_some() || state.closed).then_some(())).await;
        let mut state = self.phone.0.step()?;
        let no_room = Error::Refused(endpoint::Error::NoRoom);
        let place = state.free_place().ok_or(no_room)?;
        let media = state.local_media(place).ok_or(Error::Closed)?;
        let account = self.id;
        let Dial { headers, late_offer } = dial;
        let call = OutgoingCall { account, target, media, late_offer, headers };
        let Reply::Call(id) = state.command(Command::Call(call))? else {
            return Err(Error::Closed);
        };
        if let Some(entry) = state.calls.get_mut(place) {
            entry.begin(id, account);
            entry.is_held = true;
        }
        Ok(Call::new(self.phone, place, id))
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
        request::send(self.phone, Command::Request(request)).await
    }
}

/// Address of record (without a port) and registrar of `sip:USER@HOST:PORT`.
pub(crate) fn split(identity: &str) -> Result<(&str, Text), Error> {
    let invalid = Error::Refused(endpoint::Error::Invalid);
    let uri = Uri::parse(identity.as_bytes()).map_err(|_| invalid)?;
    let host = uri.host().ok_or(invalid)?.as_bytes().len();
    let behind = |mark| Some(identity.bytes().position(|byte| byte == mark)? + 1);
    let (Some(user), Some(place)) = (behind(b':'), behind(b'@')) else { return Err(invalid) };
    let rest = identity.bytes().skip(place).take_while(|byte| !matches!(byte, b';' | b'?'));
    let end = place + rest.count();
    let part = |range| identity.get(range).ok_or(invalid);
    Ok((part(0..place + host)?, join(&[part(0..user)?, part(place..end)?])?))
}

fn join(parts: &[&str]) -> Result<Text, Error> {
    let mut text = Text::new();
    for part in parts {
        text.push_str(part).map_err(|_| Error::Refused(endpoint::Error::TooLong))?;
    }
    Ok(text)
}

/// A URI of an account.
pub(crate) type Text = String<128>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_belongs_to_the_registrar_and_not_to_the_address_of_record() {
        let (record, registrar) = split("sip:100@h.example:5070").unwrap();
        assert_eq!((record, registrar.as_str()), ("sip:100@h.example", "sip:h.example:5070"));
        let (record, registrar) = split("sip:a@192.0.2.1").unwrap();
        assert_eq!((record, registrar.as_str()), ("sip:a@192.0.2.1", "sip:192.0.2.1"));
        let (record, registrar) = split("sip:100:x@h.example:5070;lr?a=b").unwrap();
        assert_eq!((record, registrar.as_str()), ("sip:100:x@h.example", "sip:h.example:5070"));
        assert!(split("sip:h").is_err());
        assert!(split("100").is_err());
    }
}
