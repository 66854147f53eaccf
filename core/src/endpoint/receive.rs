//! Messages that come in: whose are they?

use crate::path::Path;
use crate::sip::{Head, HeaderName, Message, Method, StartLine, Via, Writer};

use super::Endpoint;
use super::compose;

/// A message with what was read of it already.
#[derive(Clone, Copy)]
pub(super) struct Received<'m> {
    pub(super) path: Path,
    pub(super) message: &'m Message<'m>,
    pub(super) head: &'m Head<'m>,
}

impl Endpoint<'_> {
    #[inline(never)] // its frame is large
    pub(super) fn receive(&mut self, path: Path, bytes: &[u8]) {
        // CRLFs between messages and as keep-alive (RFC 3261 s7.5, RFC 5626 s3.5.1)
        let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
        let Some(bytes) = start.and_then(|start| bytes.get(start..)) else { return };
        self.stats.received += 1;
        // looked at where they stand: a copy of each would lie under all that follows
        match &Message::parse(bytes) {
            Ok(message) => self.receive_whole(path, message),
            Err(_) => {
                self.stats.malformed += 1;
                if let Some(message) = Message::salvage(bytes) {
                    self.refuse_broken(&message, path, 400);
                }
            }
        }
    }

    fn receive_whole(&mut self, path: Path, message: &Message<'_>) {
        match &Head::parse(message) {
            Ok(head) => {
                let received = Received { path, message, head };
                match head.start {
                    StartLine::Request { .. } => self.on_request(&received),
                    StartLine::Response { status, .. } => self.on_response(&received, status),
                }
            }
            Err(error) => {
                self.stats.malformed += 1;
                self.refuse_broken(message, path, error.status());
            }
        }
    }

    /// Answer a request that is broken, as far as it says where to; responses and ACKs are dropped.
    #[inline(never)]
    fn refuse_broken(&mut self, message: &Message<'_>, path: Path, status: u16) {
        let answerable = !matches!(message.method(), None | Some(Method::Ack));
        if answerable {
            self.stats.refused += 1;
            self.reply(message, &path, status, None, &|_| {});
        }
    }

    /// Answer a request without a transaction (RFC 3261 s8.2.7), with this To tag or one that follows
    /// from the request. A second one before the driver took the first is dropped, which the peer
    /// sees as loss.
    pub(super) fn reply(
        &mut self,
        request: &Message<'_>,
        path: &Path,
        status: u16,
        tag: Option<&[u8]>,
        more: &dyn Fn(&mut Writer<'_>),
    ) {
        if self.reply_len > 0 {
            self.stats.replies_dropped += 1;
            return;
        }
        let stateless = self.stateless_tag(request);
        let tag = tag.or(Some(&stateless));
        let mut writer = Writer::new(&mut self.reply);
        compose::begin_response(&mut writer, request, path.remote, status, tag, false);
        more(&mut writer);
        match writer.finish() {
            Ok(len) => (self.reply_to, self.reply_len) = (Some(reply_path(request, *path)), len),
            Err(_) => self.stats.too_long += 1,
        }
    }

    /// Refuse a request without a transaction, with headers that say more.
    pub(super) fn refuse_with(
        &mut self,
        received: &Received<'_>,
        status: u16,
        more: &dyn Fn(&mut Writer<'_>),
    ) {
        self.stats.refused += 1;
        self.reply(received.message, &received.path, status, None, more);
    }

    /// Refuse a request without a transaction.
    pub(super) fn refuse(&mut self, received: &Received<'_>, status: u16) {
        self.refuse_with(received, status, &|_| {});
    }

    /// Send what stands in the draft once.
    pub(super) fn reply_from_draft(&mut self, path: Path) {
        if self.reply_len > 0 {
            self.stats.replies_dropped += 1;
            return;
        }
        let draft = self.draft.bytes();
        let Some(reply) = self.reply.get_mut(..draft.len()) else { return };
        reply.copy_from_slice(draft);
        (self.reply_to, self.reply_len) = (Some(path), draft.len());
    }

    /// The same request gets the same tag, without a memory (RFC 3261 s8.2.7).
    pub(super) fn stateless_tag(&self, request: &Message<'_>) -> [u8; 16] {
        let mut tag = [b'0'; 16];
        compose::hex_text(self.request_hash(request), &mut tag);
        tag
    }
}

/// Where a response goes (RFC 3261 s18.2.2, RFC 3581 s4): back to the source address, and to its
/// port where `rport` asked for it, else to the port of the Via.
fn reply_path(request: &Message<'_>, path: Path) -> Path {
    let via = request.values(HeaderName::Via).next().and_then(|value| Via::parse(value).ok());
    via.map_or(path, |via| way_back(&via, path))
}

fn way_back(via: &Via<'_>, path: Path) -> Path {
    if path.transport.is_reliable() || via.rport().is_some() {
        return path;
    }
    let mut remote = path.remote;
    remote.set_port(via.port().unwrap_or(path.transport.default_port()));
    Path { remote, ..path }
}

impl Received<'_> {
    /// Where the response to this request goes.
    pub(super) fn reply_path(&self) -> Path {
        way_back(&self.head.via, self.path)
    }
}
