//! How our requests and responses are put together.

use core::net::SocketAddr;

use crate::path::{Path, Transport};
use crate::sip::{HeaderName, Message, Method, NameAddr, ResponseOptions, Writer, reason};
use crate::text::Lent;

use super::dialogs::{Target, user_of};
use super::slots::account_text;
use super::{CustomHeader, Methods, custom};

/// Random numbers as identifiers: lower-case hex, because tokens compare without case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Branch {
    /// The transaction's slot, masked.
    pub(super) slot: u32,
    pub(super) random: u64,
}

/// What marks a branch as unique (RFC 3261 s8.1.1.7).
pub(super) const MAGIC: &[u8] = b"z9hG4bK";

impl Branch {
    /// Read a branch of ours back; `None` where it cannot be one.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = text.strip_prefix(MAGIC)?;
        let (slot, random) = parse_slot_and_random(text)?;
        Some(Self { slot, random })
    }
}

/// Read eight hex digits of a slot and sixteen of a random number.
pub(super) fn parse_slot_and_random(text: &[u8]) -> Option<(u32, u64)> {
    if text.len() != 24 {
        return None;
    }
    let (slot, random) = text.split_at_checked(8)?;
    Some((hex(slot)? as u32, hex(random)?))
}

fn hex(digits: &[u8]) -> Option<u64> {
    let mut value = 0;
    for digit in digits {
        value = value << 4 | u64::from((*digit as char).to_digit(16)?);
    }
    Some(value)
}

/// Write a number as hex text of full length into `room`.
pub(super) fn hex_text(value: u64, room: &mut [u8]) {
    let mut rest = value;
    for place in room.iter_mut().rev() {
        *place = b"0123456789abcdef".get((rest & 15) as usize).copied().unwrap_or(b'0');
        rest >>= 4;
    }
}

/// One end of a dialog or request: a From or To value.
#[derive(Clone, Copy)]
pub(super) struct Party<'x> {
    /// A name to put in quotes before `value`, which is a bare URI then; `None` where `value` is
    /// the whole value without a tag.
    pub(super) display: Option<&'x [u8]>,
    pub(super) value: &'x [u8],
    /// Empty for none.
    pub(super) tag: &'x [u8],
}

impl<'x> Party<'x> {
    /// A URI with a display name, which may be empty.
    pub(super) fn identity(display: &'x [u8], uri: &'x [u8], tag: &'x [u8]) -> Self {
        Self { display: Some(display), value: uri, tag }
    }

    /// A value as it stood in a message or dialog.
    pub(super) fn value(value: &'x [u8], tag: &'x [u8]) -> Self {
        Self { display: None, value, tag }
    }

    /// The value without the tag.
    pub(super) fn write<'w, 'b>(&self, writer: &'w mut Writer<'b>) -> &'w mut Writer<'b> {
        let Some(display) = self.display else { return writer.text(self.value) };
        if !display.is_empty() {
            writer.quoted(display).text(b" ");
        }
        writer.text(b"<").text(self.value).text(b">")
    }
}

/// A request of ours, all but its body.
pub(super) struct Request<'x> {
    pub(super) method: Method<'x>,
    /// `None` while the way is unknown: then Via and Contact are added by [`complete`].
    pub(super) path: Option<&'x Path>,
    pub(super) branch: Branch,
    pub(super) target: Target<'x>,
    pub(super) from: Party<'x>,
    pub(super) to: Party<'x>,
    pub(super) call_id: &'x [u8],
    pub(super) cseq: u32,
    pub(super) contact: ContactKind,
    pub(super) account: Lent<'x>,
    /// Custom headers of the call, packed.
    pub(super) headers: &'x [u8],
    /// Custom headers of this one request.
    pub(super) extra: &'x [CustomHeader<'x>],
    pub(super) methods: Methods,
}

/// Which Contact a request has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ContactKind {
    None,
    Plain,
    /// With `expires`, of a REGISTER.
    Expires(u32),
}

impl ContactKind {
    /// Whether a request inside a dialog names where we are (RFC 3261 s12.2.1.1).
    pub(super) fn for_method(method: Method<'_>) -> Self {
        match method {
            Method::Invite
            | Method::Subscribe
            | Method::Notify
            | Method::Update
            | Method::Refer => Self::Plain,
            _ => Self::None,
        }
    }
}

impl Request<'_> {
    /// Write everything but the body; a finishing call must follow.
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        let method = self.method.as_bytes();
        writer.request(self.method, self.target.uri);
        if let Some(path) = self.path {
            write_via(writer, path, self.branch);
        }
        for route in self.target.routes.split(|byte| *byte == b'\n') {
            if !route.is_empty() {
                writer.header(HeaderName::Route, route);
            }
        }
        if !self.target.last.is_empty() {
            writer.open(HeaderName::Route).text(b"<").text(self.target.last).text(b">").close();
        }
        writer.header_number(HeaderName::MaxForwards, 70);
        let from = self
            .replacement(HeaderName::From)
            .and_then(|value| NameAddr::parse(value).ok())
            .map_or(self.from, |from| Party::value(from.without_params(), self.from.tag));
        write_party(writer, HeaderName::From, from);
        write_party(writer, HeaderName::To, self.to);
        writer.header(HeaderName::CallId, self.call_id);
        write_cseq(writer, self.cseq, method);
        self.write_contact(writer);
        if matches!(self.method, Method::Invite | Method::Register | Method::Options) {
            write_allow(writer, self.methods);
        }
        let agent = self.replacement(HeaderName::UserAgent);
        let agent = agent.unwrap_or(self.account.get(account_text::USER_AGENT));
        if !agent.is_empty() {
            writer.header(HeaderName::UserAgent, agent);
        }
        custom::write(writer, &self.custom(), self.method);
        for header in for_method(self.extra, method) {
            let name = HeaderName::parse(header.name.as_bytes());
            // a Contact where the method has none is what the application wants there
            let is_written = match name {
                HeaderName::From | HeaderName::UserAgent => true,
                HeaderName::Contact => self.contact != ContactKind::None,
                _ => false,
            };
            if !is_written {
                writer.header(name, header.value.as_bytes());
            }
        }
    }

    /// Custom headers, packed: the account's, then the call's.
    fn custom(&self) -> [&[u8]; 2] {
        [self.account.get(account_text::HEADERS), self.headers]
    }

    /// The value that replaces one of ours: of this one request, the call or the account.
    fn replacement(&self, name: HeaderName<'_>) -> Option<&[u8]> {
        let method = self.method.as_bytes();
        let of_this = for_method(self.extra, method)
            .find(|header| HeaderName::parse(header.name.as_bytes()) == name)
            .map(|header| header.value.as_bytes());
        of_this.or_else(|| custom::replacement(&self.custom(), method, name))
    }

    fn write_contact(&self, writer: &mut Writer<'_>) {
        if self.contact == ContactKind::None {
            return;
        }
        match (self.replacement(HeaderName::Contact), self.path) {
            (Some(value), _) => writer.open(HeaderName::Contact).text(value),
            (None, Some(path)) => {
                let identity = self.account.get(account_text::IDENTITY);
                write_contact_uri(writer.open(HeaderName::Contact), identity, path)
            }
            (None, None) => return, // [`complete`] adds it
        };
        if let ContactKind::Expires(seconds) = self.contact {
            writer.text(b";expires=").number(seconds.into());
        }
        writer.close();
    }
}

/// Those of some headers that go with `method`.
pub(super) fn for_method<'x>(
    headers: &'x [CustomHeader<'x>],
    method: &'x [u8],
) -> impl Iterator<Item = &'x CustomHeader<'x>> {
    let fits = move |header: &&CustomHeader<'_>| {
        header.method.is_none_or(|only| only.as_bytes() == method)
    };
    headers.iter().filter(fits)
}

pub(super) fn write_via(writer: &mut Writer<'_>, path: &Path, branch: Branch) {
    writer.open(HeaderName::Via).text(b"SIP/2.0/").text(path.transport.via()).text(b" ");
    writer.address(path.local).text(b";branch=").text(MAGIC);
    writer.hex(branch.slot.into(), 8).hex(branch.random, 16).text(b";rport").close();
}

pub(super) fn write_party(writer: &mut Writer<'_>, name: HeaderName<'_>, party: Party<'_>) {
    party.write(writer.open(name));
    if !party.tag.is_empty() {
        writer.text(b";tag=").text(party.tag);
    }
    writer.close();
}

#[cfg_attr(target_os = "none", inline(never))]
pub(super) fn write_cseq(writer: &mut Writer<'_>, number: u32, method: &[u8]) {
    writer.open(HeaderName::CSeq).number(number.into()).text(b" ").text(method).close();
}

/// The method of a request; empty for a response.
#[cfg_attr(target_os = "none", inline(never))]
pub(super) fn method_of<'m>(message: &Message<'m>) -> &'m [u8] {
    message.method().map_or(b"", |method| method.as_bytes())
}

/// `<sip:user@address>`, with the transport where it is not UDP.
pub(super) fn write_contact_uri<'w, 'b>(
    writer: &'w mut Writer<'b>,
    identity: &[u8],
    path: &Path,
) -> &'w mut Writer<'b> {
    writer.text(b"<sip:");
    if let Some(user) = user_of(identity) {
        writer.text(user).text(b"@");
    }
    writer.address(path.local);
    if path.transport != Transport::Udp {
        writer.text(b";transport=").text(path.transport.uri_parameter());
    }
    writer.text(b">")
}

/// Allow (RFC 3261 s20.5): what a request to us may be.
pub(super) fn write_allow(writer: &mut Writer<'_>, methods: Methods) {
    writer.open(HeaderName::Allow).text(b"INVITE, ACK, CANCEL, BYE, OPTIONS");
    for (set, name) in &ALLOWED {
        if methods.contains(*set) {
            writer.text(b", ").text(name);
        }
    }
    writer.close();
}

/// What the application may take beside what a phone needs.
const ALLOWED: [(Methods, &[u8]); 6] = [
    (Methods::REGISTER, b"REGISTER"),
    (Methods::MESSAGE, b"MESSAGE"),
    (Methods::SUBSCRIBE, b"SUBSCRIBE"),
    (Methods::NOTIFY, b"NOTIFY"),
    (Methods::PUBLISH, b"PUBLISH"),
    (Methods::INFO, b"INFO"),
];

/// Begin a response to `request`.
pub(super) fn begin_response(
    writer: &mut Writer<'_>,
    request: &Message<'_>,
    source: SocketAddr,
    status: u16,
    to_tag: Option<&[u8]>,
    record_route: bool,
) {
    let options = ResponseOptions { to_tag, source: Some(source), record_route };
    writer.response_from(request, status, reason(status).as_bytes(), &options);
}

/// What is put in place of a request's own headers when it is sent again.
pub(super) struct Again<'x> {
    pub(super) path: &'x Path,
    pub(super) branch: Branch,
    pub(super) cseq: u32,
    /// Drop the credentials, since fresh ones follow.
    pub(super) without_credentials: bool,
}

impl<'x> Again<'x> {
    /// The same request with fresh credentials.
    pub(super) fn retry(path: &'x Path, branch: Branch, cseq: u32) -> Self {
        Self { path, branch, cseq, without_credentials: true }
    }
}

/// Write a request of ours again with another branch and CSeq (RFC 3261 s8.1.3.5): all headers but
/// those that [`Again`] replaces. Headers may follow, then a finishing call with the old body.
pub(super) fn write_again(writer: &mut Writer<'_>, old: &Message<'_>, again: &Again<'_>) {
    writer.start_line(&old.start_line());
    write_via(writer, again.path, again.branch);
    for header in old.headers() {
        match header.name {
            HeaderName::Via | HeaderName::ContentLength | HeaderName::ContentType => {}
            HeaderName::Authorization | HeaderName::ProxyAuthorization
                if again.without_credentials => {}
            HeaderName::CSeq => {
                write_cseq(writer, again.cseq, method_of(old));
            }
            _ => {
                writer.raw_header(&header);
            }
        }
    }
}

/// Add Via and Contact to a request that was written before its way was known.
pub(super) fn complete(
    writer: &mut Writer<'_>,
    old: &Message<'_>,
    path: &Path,
    branch: Branch,
    cseq: u32,
    identity: &[u8],
) {
    write_again(writer, old, &Again { path, branch, cseq, without_credentials: false });
    let wants = |method| ContactKind::for_method(method) == ContactKind::Plain;
    if old.method().is_some_and(wants) && old.header(HeaderName::Contact).is_none() {
        writer.open(HeaderName::Contact);
        write_contact_uri(writer, identity, path).close();
    }
}

/// CANCEL for an INVITE of ours (RFC 3261 s9.1), or the ACK for a non-2xx final response to it
/// (s17.1.1.3): the same Request-URI, top Via, Route, From, Call-ID and CSeq number. `to` is the
/// To of the response, for the ACK.
pub(super) fn write_like_invite(
    writer: &mut Writer<'_>,
    invite: &Message<'_>,
    method: Method<'_>,
    to: Option<&[u8]>,
) {
    writer.request(method, invite.uri().unwrap_or(b""));
    let mut vias = 0;
    for header in invite.headers() {
        match header.name {
            HeaderName::Via if vias == 0 => {
                vias += 1;
                writer.raw_header(&header);
            }
            HeaderName::Route | HeaderName::From | HeaderName::CallId | HeaderName::MaxForwards => {
                writer.raw_header(&header);
            }
            HeaderName::To => match to {
                Some(to) => {
                    writer.open(HeaderName::To).unfolded(to).close();
                }
                None => {
                    writer.raw_header(&header);
                }
            },
            HeaderName::CSeq => {
                let number = crate::sip::CSeq::parse(header.value).map_or(0, |cseq| cseq.number);
                write_cseq(writer, number, method.as_bytes());
            }
            _ => {}
        }
    }
}
