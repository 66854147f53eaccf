//! Via: the path that a response takes back (RFC 3261 s20.42, RFC 3581).

use super::grammar::{Parsed, Part, ValueError, is, lws, number, require_short};
use super::grammar::{separator, token, trim};
use super::host::{Host, host, port};
use super::name::starts;
use super::params::Params;

/// One Via value.
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    raw: &'a [u8],
    transport: Part,
    host: Part,
    port: u16,
    params_start: u16,
    // what every message is asked for, seen while the parameters were checked
    branch: Part,
    rport: Part,
}

/// A transport as Via and the `transport` parameter of URIs name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransportName<'a> {
    /// `UDP`
    Udp,
    /// `TCP`
    Tcp,
    /// `TLS`
    Tls,
    /// `SCTP`
    Sctp,
    /// `WS` (RFC 7118)
    Ws,
    /// `WSS` (RFC 7118)
    Wss,
    /// Any other token, as it came.
    Other(&'a [u8]),
}

impl<'a> TransportName<'a> {
    /// The transport of this name, in any case.
    pub fn parse(name: &'a [u8]) -> Self {
        match name {
            b"UDP" => Self::Udp,
            name if name.eq_ignore_ascii_case(b"UDP") => Self::Udp,
            name if name.eq_ignore_ascii_case(b"TCP") => Self::Tcp,
            name if name.eq_ignore_ascii_case(b"TLS") => Self::Tls,
            name if name.eq_ignore_ascii_case(b"SCTP") => Self::Sctp,
            name if name.eq_ignore_ascii_case(b"WS") => Self::Ws,
            name if name.eq_ignore_ascii_case(b"WSS") => Self::Wss,
            other => Self::Other(other),
        }
    }

    /// The name in capitals, as Via has it.
    pub fn as_bytes(&self) -> &'a [u8] {
        match self {
            Self::Udp => b"UDP",
            Self::Tcp => b"TCP",
            Self::Tls => b"TLS",
            Self::Sctp => b"SCTP",
            Self::Ws => b"WS",
            Self::Wss => b"WSS",
            Self::Other(name) => name,
        }
    }
}

impl<'a> Via<'a> {
    /// Reads one value: `SIP/2.0/UDP host:port;params`. `ttl` and `rport` must be numbers. Of more
    /// than 65,535 bytes it is refused.
    pub fn parse(raw: &'a [u8]) -> Result<Self, ValueError> {
        let raw = trim(raw);
        require_short(raw)?;
        // As most peers write it.
        let usual = starts(raw, b"SIP/2.0/").then(|| raw.get(8..).unwrap_or_default());
        let (rest, transport) = match usual {
            Some(rest @ [first, ..]) if *first > b' ' => token(rest)?,
            _ => spaced_protocol(raw)?,
        };
        let after_space = lws(rest);
        if after_space.len() == rest.len() {
            return Err(ValueError::Syntax);
        }
        let (rest, host) = host(after_space)?;
        let (params, port) = match separator(b':', rest) {
            Ok(digits) => port(digits)?,
            Err(_) => (rest, 0),
        };
        let mut via = Self {
            raw,
            transport: Part::within(raw, transport),
            host: Part::within(raw, host.as_bytes()),
            port,
            params_start: (raw.len() - params.len()) as u16,
            branch: Part::NONE,
            rport: Part::NONE,
        };
        via.read_params(params)?;
        Ok(via)
    }

    fn read_params(&mut self, params: &'a [u8]) -> Result<(), ValueError> {
        let mut rest = params;
        while let Some((name, value)) = Params::next_valid(&mut rest)? {
            // One without a value is empty, and stands behind its name.
            let text = value.unwrap_or(name.get(name.len()..).unwrap_or_default());
            let seen = if is(name, b"branch") {
                &mut self.branch
            } else if is(name, b"rport") {
                value.map_or(Ok(0), |value| number(value, 65_535))?;
                &mut self.rport
            } else {
                if is(name, b"ttl") {
                    number(text, 255)?;
                }
                continue;
            };
            if !seen.is_there() {
                *seen = Part::within(self.raw, text);
            }
        }
        Ok(())
    }

    /// The bytes of the value as they came.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// The bytes up to the parameters: protocol and sent-by.
    pub fn without_params(&self) -> &'a [u8] {
        trim(self.raw.get(..usize::from(self.params_start)).unwrap_or_default())
    }

    /// The transport.
    pub fn transport(&self) -> TransportName<'a> {
        TransportName::parse(self.transport.of(self.raw).unwrap_or_default())
    }

    /// The host of sent-by.
    pub fn host(&self) -> Host<'a> {
        Host::unchecked(self.host.of(self.raw).unwrap_or_default())
    }

    /// The port of sent-by, where one is written.
    pub fn port(&self) -> Option<u16> {
        let behind_host = self.raw.get(self.host.end()..usize::from(self.params_start));
        behind_host.is_some_and(|port| !port.is_empty()).then_some(self.port)
    }

    /// All parameters.
    pub fn params(&self) -> Params<'a> {
        Params::of_header(self.raw.get(usize::from(self.params_start)..).unwrap_or_default())
    }

    /// The value of a parameter, in any case; empty for one without a value.
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params().value_of(name)
    }

    /// The `branch`, which names the transaction; `None` from RFC 2543 peers.
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.branch.of(self.raw).filter(|branch| !branch.is_empty())
    }

    /// The `received` address, as the next hop saw it; IPv6 with or without brackets.
    pub fn received(&self) -> Option<Host<'a>> {
        self.param(b"received").map(Host::unchecked)
    }

    /// `rport` (RFC 3581): absent, asked for (`Some(None)`), or answered.
    pub fn rport(&self) -> Option<Option<u16>> {
        let value = self.rport.of(self.raw)?;
        Some(number(value, 65_535).ok().and_then(|port| u16::try_from(port).ok()))
    }

    /// The `maddr` parameter.
    pub fn maddr(&self) -> Option<Host<'a>> {
        self.param(b"maddr").map(Host::unchecked)
    }

    /// The `ttl` of a multicast request.
    pub fn ttl(&self) -> Option<u8> {
        number(self.param(b"ttl")?, 255).ok().and_then(|ttl| u8::try_from(ttl).ok())
    }
}

/// `sent-protocol`, with white space around its slashes: gives the transport.
#[inline(never)]
fn spaced_protocol(value: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, name) = token(value)?;
    let (rest, version) = token(separator(b'/', rest)?)?;
    let (rest, transport) = token(separator(b'/', rest)?)?;
    if name.eq_ignore_ascii_case(b"SIP") && version == b"2.0" {
        Ok((rest, transport))
    } else {
        Err(ValueError::Syntax)
    }
}
