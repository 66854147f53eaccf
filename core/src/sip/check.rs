//! Whether the headers that the library knows are well-formed, for tools and for strict peers.

use nom::Parser;
use nom::bytes::complete::{tag, take, take_while_m_n, take_while1};
use nom::character::complete::char;
use nom::combinator::verify;

use super::address::{Contact, NameAddr};
use super::auth::{AuthParams, Challenge, Credentials};
use super::grammar::{Parsed, ValueError, by, lws, quoted_string, token, trim};
use super::head::is_call_id;
use super::header::Header;
use super::message::Message;
use super::name::HeaderName;
use super::values::{CSeq, ContentType, Event, RAck, Reason, Replaces, SessionExpires};
use super::values::{SubscriptionState, header_number};
use super::via::Via;

impl<'a> Message<'a> {
    /// Parses every header that the library knows; gives the first that is malformed.
    ///
    /// The endpoint does not ask for this: a header that a request does not need must not refuse
    /// it (RFC 3261 s8.2, RFC 4475 s3.1.2.12).
    pub fn check_headers(&self) -> Result<(), (Header<'a>, ValueError)> {
        for header in self.headers() {
            header.check().map_err(|error| (header, error))?;
        }
        Ok(())
    }
}

impl Header<'_> {
    /// Parses the value by the grammar of its header; headers without a typed value always pass.
    pub fn check(&self) -> Result<(), ValueError> {
        let each = |check: fn(&[u8]) -> Result<(), ValueError>| self.values().try_for_each(check);
        match self.name {
            HeaderName::Via => each(|value| Via::parse(value).map(drop)),
            HeaderName::Contact => each(|value| Contact::parse(value).map(drop)),
            HeaderName::From
            | HeaderName::To
            | HeaderName::ReferTo
            | HeaderName::ReferredBy
            | HeaderName::ReplyTo
            | HeaderName::PCalledPartyId => NameAddr::parse(self.value).map(drop),
            HeaderName::Route
            | HeaderName::RecordRoute
            | HeaderName::Path
            | HeaderName::ServiceRoute
            | HeaderName::Diversion
            | HeaderName::PAssertedIdentity
            | HeaderName::PPreferredIdentity
            | HeaderName::PAssociatedUri => each(|value| NameAddr::parse(value).map(drop)),
            HeaderName::CallId if is_call_id(self.value) => Ok(()),
            HeaderName::CallId => Err(ValueError::Syntax),
            HeaderName::CSeq => CSeq::parse(self.value).map(drop),
            HeaderName::ContentLength
            | HeaderName::MaxForwards
            | HeaderName::Expires
            | HeaderName::MinExpires
            | HeaderName::MinSe
            | HeaderName::RSeq
            | HeaderName::RetryAfter => header_number(self.name, self.value).map(drop),
            HeaderName::RAck => RAck::parse(self.value).map(drop),
            HeaderName::SessionExpires => SessionExpires::parse(self.value).map(drop),
            HeaderName::Replaces => Replaces::parse(self.value).map(drop),
            HeaderName::Event => Event::parse(self.value).map(drop),
            HeaderName::SubscriptionState => SubscriptionState::parse(self.value).map(drop),
            HeaderName::ContentType => ContentType::parse(self.value).map(drop),
            HeaderName::Accept => each(|value| match value {
                [] => Ok(()),
                _ => ContentType::parse(value).map(drop),
            }),
            HeaderName::Allow
            | HeaderName::AllowEvents
            | HeaderName::Supported
            | HeaderName::Require
            | HeaderName::ProxyRequire
            | HeaderName::Unsupported => each(list_token),
            HeaderName::Reason => each(|value| Reason::parse(value).map(drop)),
            HeaderName::Warning => each(warning),
            HeaderName::Date => date(self.value),
            HeaderName::WwwAuthenticate | HeaderName::ProxyAuthenticate => challenges(self.value),
            HeaderName::Authorization | HeaderName::ProxyAuthorization => {
                Credentials::parse(self.value).map(drop)
            }
            HeaderName::AuthenticationInfo => AuthParams::parse(self.value).map(drop),
            _ => Ok(()),
        }
    }
}

/// A token; an empty element is let pass, as in lists that end with a comma.
fn list_token(value: &[u8]) -> Result<(), ValueError> {
    match value {
        [] => Ok(()),
        _ => match token(value)? {
            ([], _) => Ok(()),
            _ => Err(ValueError::Syntax),
        },
    }
}

fn challenges(value: &[u8]) -> Result<(), ValueError> {
    let mut rest = value;
    loop {
        (_, rest) = Challenge::parse(rest)?;
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// `warn-code SP warn-agent SP warn-text` (RFC 3261 s20.43).
fn warning(value: &[u8]) -> Result<(), ValueError> {
    let agent = take_while1(|byte| byte != b' ');
    let mut warning = (fixed_digits(3), char(' '), agent, char(' '), by(text));
    match warning.parse(value)? {
        (rest, _) if trim(rest).is_empty() => Ok(()),
        _ => Err(ValueError::Syntax),
    }
}

fn text(input: &[u8]) -> Parsed<'_, &[u8]> {
    quoted_string(lws(input))
}

/// `Sat, 13 Nov 2010 23:29:00 GMT`: no other zone (RFC 3261 s20.17).
fn date(value: &[u8]) -> Result<(), ValueError> {
    let weekday = (take_while_m_n(3, 3, |byte| byte != b' '), tag(", "));
    let month = verify(take(3usize), |month: &[u8]| MONTHS.contains(&month));
    let day = (fixed_digits(2), char(' '), month, char(' '), fixed_digits(4), char(' '));
    let time = (fixed_digits(2), char(':'), fixed_digits(2), char(':'), fixed_digits(2));
    match (weekday, day, time, tag(" GMT")).parse(value)? {
        ([], _) => Ok(()),
        _ => Err(ValueError::Syntax),
    }
}

fn fixed_digits<'a>(count: usize) -> impl Parser<&'a [u8], Output = &'a [u8], Error = ValueError> {
    verify(take(count), |digits: &[u8]| digits.iter().all(u8::is_ascii_digit))
}

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
