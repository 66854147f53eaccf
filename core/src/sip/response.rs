//! Beginning a response from its request (RFC 3261 s8.2.6).

use core::net::SocketAddr;

use super::address::NameAddr;
use super::grammar::before;
use super::header::split_comma;
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
        if let Some((field, vias)) = request.first_line(HeaderName::Via) {
            match options.source {
                Some(source) => self.received_via(field, vias, source),
                None => self.repeat(field),
            }
        }
        self.further(request, HeaderName::Via);
        if options.record_route {
            self.first(request, HeaderName::RecordRoute);
            self.further(request, HeaderName::RecordRoute);
        }
        self.first(request, HeaderName::From);
        if let Some((field, to)) = request.first_line(HeaderName::To) {
            self.tagged_to(field, to, options.to_tag);
        }
        self.first(request, HeaderName::CallId);
        self.first(request, HeaderName::CSeq);
        self
    }

    /// The first line of a header that was read.
    fn first(&mut self, request: &Message<'_>, name: HeaderName<'static>) {
        if let Some((field, _)) = request.first_line(name) {
            self.repeat(field);
        }
    }

    /// The lines of a header that was read, after its first.
    fn further(&mut self, request: &Message<'_>, name: HeaderName<'static>) {
        for header in request.further_lines(name) {
            self.repeat(before(header.raw(), header.tail()));
        }
    }

    /// A header as it came up to the end of its value, with a line end of ours.
    fn repeat(&mut self, field: &[u8]) {
        self.push(field).close();
    }

    fn tagged_to(&mut self, field: &[u8], to: &[u8], tag: Option<&[u8]>) {
        self.push(field);
        // Behind a bracket stand no parameters, so most requests need no parsing here.
        let is_tagged = |to: &[u8]| NameAddr::parse(to).is_ok_and(|to| to.tag().is_some());
        if let Some(tag) = tag
            && (to.ends_with(b">") || !is_tagged(to))
        {
            self.push(b";tag=").text(tag);
        }
        self.close();
    }

    /// The top Via line with what we know of the sender put into its first value.
    fn received_via(&mut self, field: &[u8], vias: &[u8], source: SocketAddr) {
        let (top, _) = split_comma(vias);
        let Ok(via) = Via::parse(top) else { return self.repeat(field) };
        let wants_rport = via.rport().is_some();
        let differs = via.host().address() != Some(source.ip());
        if !wants_rport && !differs {
            return self.repeat(field);
        }
        self.push(before(field, vias)).push(via.without_params());
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
        let rest = vias.get(top.len()..).unwrap_or_default();
        self.push(rest).close();
    }
}
