//! Responses of the server's own.

use core::fmt::Write as _;
use core::net::SocketAddr;

use sansip::time::Instant;
use sha2::{Digest, Sha256};

use super::digest::hex;
use super::{REMEMBERED, Sent, Server};
use crate::wire::{Wire, parameter};

impl Server {
    pub(super) fn answer(
        &mut self,
        now: Instant,
        source: SocketAddr,
        wire: &Wire<'_>,
        key: String,
        status: u16,
        extra: &[(&str, String)],
    ) -> Sent {
        let mut text = begin_answer(source, wire, status);
        for (name, value) in extra {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        let bytes = text.into_bytes();
        let until = now + REMEMBERED;
        self.answered_order.push_back((until, key.clone()));
        self.answered.insert(key, (until, bytes.clone()));
        (source, bytes)
    }
}

/// A response without anything else.
pub(super) fn bare_answer(source: SocketAddr, wire: &Wire<'_>, status: u16) -> Vec<u8> {
    (begin_answer(source, wire, status) + "Content-Length: 0\r\n\r\n").into_bytes()
}

fn begin_answer(source: SocketAddr, wire: &Wire<'_>, status: u16) -> String {
    let mut text = format!("SIP/2.0 {status} {}\r\n", phrase(status));
    write_vias(&mut text, source, wire);
    copy_headers(&mut text, wire, &[("from", "From"), ("call-id", "Call-ID")]);
    copy_headers(&mut text, wire, &[("cseq", "CSeq")]);
    let to = wire.header("to").unwrap_or_default();
    if wire.to_tag().is_some() || status == 100 {
        let _ = write!(text, "To: {to}\r\n");
    } else {
        // Without a call to remember it in, the tag follows from the request: a CANCEL gets that of
        // its INVITE.
        let tag = hex(&Sha256::digest(wire.branch().unwrap_or_default()));
        let _ = write!(text, "To: {to};tag={}\r\n", tag.get(..16).unwrap_or_default());
    }
    text
}

/// All Via lines, with what we know of the sender in the first one (RFC 3261 s18.2.1, RFC 3581).
pub(super) fn write_vias(text: &mut String, source: SocketAddr, wire: &Wire<'_>) {
    for (index, via) in wire.values("via").iter().enumerate() {
        if index > 0 {
            let _ = write!(text, "Via: {via}\r\n");
            continue;
        }
        let plain: Vec<_> = via.split(';').filter(|part| !part.starts_with("rport")).collect();
        let _ = write!(text, "Via: {};received={}", plain.join(";"), source.ip());
        if parameter(via, "rport").is_some() {
            let _ = write!(text, ";rport={}", source.port());
        }
        text.push_str("\r\n");
    }
}

pub(super) fn copy_headers(text: &mut String, wire: &Wire<'_>, names: &[(&str, &str)]) {
    for (known, written) in names {
        for value in wire.lines(known) {
            let _ = write!(text, "{written}: {value}\r\n");
        }
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        200 => "OK",
        408 => "Request Timeout",
        401 => "Unauthorized",
        404 => "Not Found",
        407 => "Proxy Authentication Required",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        503 => "Service Unavailable",
        _ => "No",
    }
}
