//! Dialogs (RFC 3261 s12): made from a request or response, found, refreshed, addressed.

use core::net::SocketAddr;

use crate::path::{Path, Transport};
use crate::sip::{Contact, Head, HeaderName, Message, TransportName, Uri, Writer};
use crate::table::{Id, Table};
use crate::text::{Lent, Texts};

use super::compose::{hex_text, parse_slot_and_random};
use super::receive::Received;
use super::slots::{DialogSlot, dialog_text as field};
use super::{Endpoint, Error};

impl Endpoint<'_> {
    pub(super) fn dialog_field(&self, dialog: Id, which: usize) -> &[u8] {
        texts_of_dialog(&self.dialogs, &self.dialog_text, Some(dialog)).get(which)
    }

    pub(super) fn set_dialog_field(
        &mut self,
        dialog: Id,
        which: usize,
        text: &[u8],
    ) -> Result<(), Error> {
        set_text(&mut self.dialogs, &mut self.dialog_text, dialog, which, text)
    }

    /// Text of a new tag that leads back to a call: its slot, masked, and random bits.
    pub(super) fn call_tag(&self, call: Id, random: u64) -> [u8; 24] {
        let mut tag = [b'0'; 24];
        let (slot, rest) = tag.split_at_mut(8);
        hex_text((self.calls.place(call) ^ self.mask).into(), slot);
        hex_text(random, rest);
        tag
    }

    /// The dialog that a request inside one belongs to: Call-ID and both tags (RFC 3261 s12.2.2).
    pub(super) fn find_dialog(&self, head: &Head<'_>) -> Option<(Id, Id)> {
        let (slot, _) = parse_slot_and_random(head.to_tag?)?;
        let (call, slot) = self.calls.at(slot ^ self.mask)?;
        let mut dialog = Some(slot.dialog);
        while let Some(id) = dialog {
            if self.fits(id, head.call_id, head.to_tag?, head.from_tag.unwrap_or(b"")) {
                return Some((call, id));
            }
            dialog = self.dialogs.get(id)?.next;
        }
        None
    }

    fn fits(&self, dialog: Id, call_id: &[u8], local_tag: &[u8], remote_tag: &[u8]) -> bool {
        self.dialog_field(dialog, field::LOCAL_TAG).eq_ignore_ascii_case(local_tag)
            && self.dialog_field(dialog, field::CALL_ID) == call_id
            && self.dialog_field(dialog, field::REMOTE_TAG).eq_ignore_ascii_case(remote_tag)
    }

    /// The dialog of a call that has this remote tag, or else the chosen one while it has none.
    pub(super) fn dialog_for_tag(&self, call: Id, remote_tag: &[u8]) -> Option<Id> {
        let chosen = self.calls.get(call)?.dialog;
        if self.dialog_field(chosen, field::REMOTE_TAG).is_empty() {
            return Some(chosen);
        }
        let mut dialog = Some(chosen);
        while let Some(id) = dialog {
            if self.dialog_field(id, field::REMOTE_TAG).eq_ignore_ascii_case(remote_tag) {
                return Some(id);
            }
            dialog = self.dialogs.get(id)?.next;
        }
        None
    }

    /// A dialog for another fork of an outgoing call, where a slot is spare beyond the one that
    /// each further call needs; so many forks cannot shut out calls.
    pub(super) fn fork_dialog(&mut self, call: Id, invite: Id, remote_tag: &[u8]) -> Option<Id> {
        if self.dialogs.free() <= self.calls.free() {
            return None;
        }
        let chosen = self.calls.get(call)?.dialog;
        let slot = self.dialogs.get(chosen)?;
        let (text, next) = (slot.text, slot.next);
        let (path, local_cseq) = (slot.path, slot.local_cseq);
        let id = self.dialogs.insert(|slot| {
            (slot.text, slot.next) = (text, next);
            (slot.path, slot.local_cseq) = (path, local_cseq);
        })?;
        self.dialog_text.copy_block(self.dialogs.place(chosen), self.dialogs.place(id));
        self.dialogs.update(chosen, |slot| slot.next = Some(id));
        self.set_dialog_field(id, field::REMOTE_TAG, remote_tag).ok()?;
        self.set_dialog_field(id, field::ROUTES, b"").ok()?;
        self.target_of_invite(id, invite).ok()?;
        Some(id)
    }

    /// The target of a fork is whom we called, until a Contact says otherwise.
    pub(super) fn target_of_invite(&mut self, dialog: Id, invite: Id) -> Result<(), Error> {
        let slot = self.transactions.get(invite).ok_or(Error::Gone)?;
        let buffer = slot.message.as_ref().ok_or(Error::State)?;
        let message = &self.buffers.message(buffer);
        let message = message.as_ref().ok_or(Error::State)?;
        let target = message.uri().unwrap_or(b"");
        set_text(&mut self.dialogs, &mut self.dialog_text, dialog, field::TARGET, target)
    }

    /// Make `dialog` the only one of its call.
    pub(super) fn choose_dialog(&mut self, call: Id, dialog: Id) {
        let Some(first) = self.calls.get(call).map(|slot| slot.dialog) else { return };
        self.calls.update(call, |slot| slot.dialog = dialog);
        let mut next = Some(first);
        while let Some(id) = next {
            next = self.dialogs.get(id).and_then(|slot| slot.next);
            if id != dialog {
                self.dialogs.remove(id);
            }
        }
        self.dialogs.update(dialog, |slot| slot.next = None);
    }

    /// Remove all dialogs of a call.
    pub(super) fn drop_dialogs(&mut self, first: Id) {
        let mut next = Some(first);
        while let Some(id) = next {
            next = self.dialogs.get(id).and_then(|slot| slot.next);
            self.dialogs.remove(id);
        }
    }

    /// Take the remote tag, target and route set from a response to our INVITE
    /// (RFC 3261 s12.1.2), and the way that follows from them.
    pub(super) fn learn_from_response(
        &mut self,
        dialog: Id,
        received: &Received<'_>,
    ) -> Result<(), Error> {
        let tag = received.head.to_tag.unwrap_or(b"");
        self.set_dialog_field(dialog, field::REMOTE_TAG, tag)?;
        self.pack_routes(received.message, true)?;
        self.set_dialog_from_draft(dialog, field::ROUTES)?;
        self.refresh_target(dialog, received)
    }

    /// Take the remote target from a Contact, where there is one (RFC 3261 s12.2.1.2, s12.2.2).
    pub(super) fn refresh_target(
        &mut self,
        dialog: Id,
        received: &Received<'_>,
    ) -> Result<(), Error> {
        if let Some(target) = contact_uri(received.message) {
            self.set_dialog_field(dialog, field::TARGET, target)?;
        }
        let text = texts_of_dialog(&self.dialogs, &self.dialog_text, Some(dialog));
        let route = first_route(text.get(field::ROUTES));
        let way = next_hop(route, text.get(field::TARGET), &received.path);
        self.dialogs.update(dialog, |slot| slot.path = Some(way));
        Ok(())
    }

    /// Put the route set into the draft: the Record-Routes of a message, reversed for the
    /// caller (RFC 3261 s12.1), one a line.
    pub(super) fn pack_routes(
        &mut self,
        message: &Message<'_>,
        reversed: bool,
    ) -> Result<(), Error> {
        let count = message.values(HeaderName::RecordRoute).count();
        if count > crate::limits::ROUTES_MAX {
            return Err(Error::TooLong);
        }
        let mut len = 0;
        for place in 0..count {
            let place = if reversed { count - 1 - place } else { place };
            let Some(value) = message.values(HeaderName::RecordRoute).nth(place) else { break };
            if len > 0 {
                *self.draft.room.get_mut(len).ok_or(Error::TooLong)? = b'\n';
                len += 1;
            }
            let mut writer = Writer::new(self.draft.room.get_mut(len..).unwrap_or(&mut []));
            len += writer.unfolded(value).outcome().map_err(|_| Error::TooLong)?;
        }
        self.draft.end(Ok(len))
    }
}

/// Where a request inside a dialog goes: to the first route or else the remote target, where
/// that is an address. A name is not looked up in the middle of a call; the request then takes
/// the way that the peer's message came, which is the proxy or the NAT that we talk to.
#[cfg_attr(target_os = "none", inline(never))]
pub(super) fn next_hop(route: Option<&[u8]>, target: &[u8], came: &Path) -> Path {
    let first = route.and_then(route_uri);
    let uri = first.or_else(|| read_uri(target));
    match uri.and_then(|uri| address_of(&uri, came.transport)) {
        Some(remote) if !came.transport.is_reliable() => Path { remote, ..*came },
        _ => *came,
    }
}

/// Replace one text of a dialog.
#[cfg_attr(target_os = "none", inline(never))]
pub(super) fn set_text(
    dialogs: &mut Table<'_, DialogSlot>,
    texts: &mut Texts<'_>,
    dialog: Id,
    which: usize,
    text: &[u8],
) -> Result<(), Error> {
    let block = texts.block_mut(dialogs.place(dialog));
    let set = dialogs.update(dialog, |slot| slot.text.set(block, which, text));
    set.ok_or(Error::Gone)?.map_err(|_| Error::TooLong)
}

/// The texts of a dialog.
#[cfg_attr(target_os = "none", inline(never))]
pub(super) fn texts_of_dialog<'x>(
    dialogs: &'x Table<'_, DialogSlot>,
    texts: &'x Texts<'_>,
    dialog: Option<Id>,
) -> Lent<'x> {
    let lent = |id| Some(dialogs.get(id)?.text.lent(texts.block(dialogs.place(id))));
    dialog.and_then(lent).unwrap_or_default()
}

/// How a request is addressed.
#[derive(Clone, Copy)]
pub(super) struct Target<'x> {
    pub(super) uri: &'x [u8],
    pub(super) routes: &'x [u8],
    /// The remote target as the last Route, behind a strict router; outside dialogs the outbound
    /// proxy; empty otherwise.
    pub(super) last: &'x [u8],
}

impl<'x> Target<'x> {
    /// Outside dialogs: an outbound proxy that is a loose router is the route (RFC 3261 s8.1.2).
    pub(super) fn outside(uri: &'x [u8], proxy: &'x [u8]) -> Self {
        let is_loose = read_uri(proxy).is_some_and(|proxy| proxy.lr());
        Self { uri, routes: &[], last: if is_loose { proxy } else { &[] } }
    }

    /// From the remote target and the route set (RFC 3261 s12.2.1.1).
    pub(super) fn of(target: &'x [u8], routes: &'x [u8]) -> Self {
        let loose = Self { uri: target, routes, last: &[] };
        let Some(first) = first_route(routes) else { return loose };
        match route_uri(first) {
            Some(uri) if !uri.lr() => {
                let rest = routes.get(first.len() + 1..).unwrap_or(&[]);
                Self { uri: uri.as_bytes(), routes: rest, last: target }
            }
            _ => loose,
        }
    }
}

fn first_route(routes: &[u8]) -> Option<&[u8]> {
    routes.split(|byte| *byte == b'\n').next().filter(|route| !route.is_empty())
}

fn route_uri(route: &[u8]) -> Option<Uri<'_>> {
    crate::sip::NameAddr::parse(route).ok().map(|address| address.uri())
}

/// A URI, where the text is one.
#[cfg_attr(target_os = "none", inline(never))]
pub(super) fn read_uri(text: &[u8]) -> Option<Uri<'_>> {
    Uri::parse(text).ok()
}

/// The user part of a URI, where the text is one with one.
#[cfg_attr(target_os = "none", inline(never))]
pub(super) fn user_of(text: &[u8]) -> Option<&[u8]> {
    read_uri(text)?.user()
}

/// The URI of the first Contact that is one.
pub(super) fn contact_uri<'m>(message: &Message<'m>) -> Option<&'m [u8]> {
    let value = message.values(HeaderName::Contact).next()?;
    let uri = Contact::parse(value).ok()?.address()?.uri();
    uri.host()?;
    Some(uri.as_bytes())
}

/// The address that a URI names by itself, with the transport's port where it names none.
pub(super) fn address_of(uri: &Uri<'_>, transport: Transport) -> Option<SocketAddr> {
    let host = uri.maddr().or(uri.host())?;
    let address = host.address()?;
    if address.is_multicast() || address.is_unspecified() || is_broadcast(address) {
        return None;
    }
    Some(SocketAddr::new(address, uri.port().unwrap_or(transport.default_port())))
}

fn is_broadcast(address: core::net::IpAddr) -> bool {
    matches!(address, core::net::IpAddr::V4(v4) if v4.is_broadcast())
}

/// The transport that a URI asks for, if we know it.
pub(super) fn transport_of(uri: &Uri<'_>) -> Option<Transport> {
    let secure = uri.scheme() == crate::sip::Scheme::Sips;
    Some(match uri.transport()? {
        TransportName::Udp => Transport::Udp,
        TransportName::Tcp if secure => Transport::Tls,
        TransportName::Tcp => Transport::Tcp,
        TransportName::Tls => Transport::Tls,
        TransportName::Ws => Transport::Ws,
        TransportName::Wss => Transport::Wss,
        _ => return None,
    })
}
