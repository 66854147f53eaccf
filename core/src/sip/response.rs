//! Beginning a response from its request (RFC 3261 s8.2.6).

use core::net::SocketAddr;

use super::header::{Header, Values};
use super::message::Message;
use super::name::HeaderName;
use super::via::Via;
use super::writer::Writer;

/// What a response takes over from its request beyond the mandatory headers.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResponseOptions<'a> {
    /// Added to To, unless To has a tag already.
    pub to_tag: Option<&'a [u8]>,
    /// Where the request came from. Adds `received` to the top Via when the host there is another
    /// (RFC 3261 s18.2.1), and both `received` and `rport` when `rport` was asked for (RFC 3581).
    pub source: Option<SocketAddr>,
    /// Copies Record-Route, as responses that make a dialog do (RFC 3261 s12.1.1).
    pub record_route: bool,
}

impl Writer<'_> {
    /// Begins a response: the status line, and Via, From, To, Call-ID and CSeq of the request,
    /// byte for byte. Headers of the response's own may follow, then a finishing call.
    ///
    /// Also answers requests whose head is not valid: what is missing there is missing here.
    pub fn response_from(
        &mut self,
        request: &Message<'_>,
        status: u16,
        reason: &[u8],
        options: &ResponseOptions<'_>,
    ) -> &mut Self {
        self.response(status, reason);
        for (place, via) in request.lines(HeaderName::Via).enumerate() {
            match options.source {
                Some(source) if place == 0 => self.received_via(&via, source),
                _ => self.repeat(&via),
            }
        }
        if options.record_route {
            for header in request.lines(HeaderName::RecordRoute) {
                self.repeat(&header);
            }
        }
        for header in request.lines(HeaderName::From).take(1) {
            self.repeat(&header);
        }
        for header in request.lines(HeaderName::To).take(1) {
            self.tagged_to(&header, options.to_tag);
        }
        for header in request.lines(HeaderName::CallId).take(1) {
            self.repeat(&header);
        }
        for header in request.lines(HeaderName::CSeq).take(1) {
            self.repeat(&header);
        }
        self
    }

    /// A header that was read, with a line end of ours.
    fn repeat(&mut self, header: &Header<'_>) {
        self.open_as(header).push(header.value).close();
    }

    fn open_as(&mut self, header: &Header<'_>) -> &mut Self {
        self.push(header.raw_name()).push(b": ")
    }

    fn tagged_to(&mut self, header: &Header<'_>, tag: Option<&[u8]>) {
        self.open_as(header).push(header.value);
        let parsed = super::NameAddr::parse(header.value);
        let has_tag = parsed.is_ok_and(|to| to.tag().is_some());
        if let (Some(tag), false) = (tag, has_tag) {
            self.push(b";tag=").text(tag);
        }
        self.close();
    }

    /// The top Via line with what we know of the sender put into its first value.
    fn received_via(&mut self, header: &Header<'_>, source: SocketAddr) {
        let top = Values::of_line(HeaderName::Via, header.value).next().unwrap_or_default();
        let Ok(via) = Via::parse(top) else { return self.repeat(header) };
        let wants_rport = via.rport().is_some();
        let differs = via.host().address() != Some(source.ip());
        self.open_as(header);
        if !wants_rport && !differs {
            self.push(header.value).close();
            return;
        }
        self.push(via.without_params());
        for (name, value) in via.params() {
            let ours =
                name.eq_ignore_ascii_case(b"received") || name.eq_ignore_ascii_case(b"rport");
            if !ours {
                self.push(b";").push(name);
                if let Some(value) = value {
                    self.push(b"=").push(value);
                }
            }
        }
        self.push(b";received=").ip(source.ip());
        if wants_rport {
            self.push(b";rport=").number(u64::from(source.port()));
        }
        let rest = header.value.get(top.len()..).unwrap_or_default();
        self.push(rest).close();
    }
}
