//! Via: the path that a response takes back (RFC 3261 s20.42, RFC 3581).

use nom::Parser;
use nom::combinator::opt;
use nom::sequence::preceded;

use super::grammar::{Parsed, ValueError, before, lws, number, separator, token, trim};
use super::host::{Host, host, port};
use super::params::Params;

/// One Via value.
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    raw: &'a [u8],
    transport: TransportName<'a>,
    host: Host<'a>,
    port: Option<u16>,
    params: &'a [u8],
    // what every message is asked for, seen while the parameters were checked
    branch: Option<&'a [u8]>,
    rport: Option<&'a [u8]>,
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
    /// Reads one value: `SIP/2.0/UDP host:port;params`. `ttl` and `rport` must be numbers.
    pub fn parse(raw: &'a [u8]) -> Result<Self, ValueError> {
        let value = trim(raw);
        let (rest, transport) = match value.strip_prefix(b"SIP/2.0/") {
            // As most peers write it.
            Some(rest) if rest.first().is_some_and(|byte| *byte > b' ') => token(rest)?,
            _ => spaced_protocol(value)?,
        };
        let (after_space, ()) = lws(rest)?;
        if after_space.len() == rest.len() {
            return Err(ValueError::Syntax);
        }
        let (rest, host) = host(after_space)?;
        let (params, port) = opt(preceded(separator(':'), port)).parse(rest)?;
        let (mut branch, mut rport) = (None, None);
        let params = Params::validated_each(params, |name, value| {
            let text = value.unwrap_or_default();
            match name.len() {
                6 if name.eq_ignore_ascii_case(b"branch") => {
                    branch.get_or_insert(text);
                }
                5 if name.eq_ignore_ascii_case(b"rport") => {
                    value.map_or(Ok(0), |value| number(value, 65_535))?;
                    rport.get_or_insert(text);
                }
                3 if name.eq_ignore_ascii_case(b"ttl") => {
                    number(text, 255)?;
                }
                _ => {}
            }
            Ok(())
        })?;
        let transport = TransportName::parse(transport);
        Ok(Self { raw: value, transport, host, port, params, branch, rport })
    }

    /// The bytes of the value as they came.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// The bytes up to the parameters: protocol and sent-by.
    pub fn without_params(&self) -> &'a [u8] {
        trim(before(self.raw, self.params))
    }

    /// The transport.
    pub fn transport(&self) -> TransportName<'a> {
        self.transport
    }

    /// The host of sent-by.
    pub fn host(&self) -> Host<'a> {
        self.host
    }

    /// The port of sent-by, where one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// All parameters.
    pub fn params(&self) -> Params<'a> {
        Params::of_header(self.params)
    }

    /// The value of a parameter, in any case; empty for one without a value.
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params().value_of(name)
    }

    /// The `branch`, which names the transaction; `None` from RFC 2543 peers.
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.branch.filter(|branch| !branch.is_empty())
    }

    /// The `received` address, as the next hop saw it; IPv6 with or without brackets.
    pub fn received(&self) -> Option<Host<'a>> {
        self.param(b"received").map(Host::unchecked)
    }

    /// `rport` (RFC 3581): absent, asked for (`Some(None)`), or answered.
    pub fn rport(&self) -> Option<Option<u16>> {
        let value = self.rport?;
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
fn spaced_protocol(value: &[u8]) -> Parsed<'_, &[u8]> {
    let mut protocol = (token, separator('/'), token, separator('/'), token);
    let (rest, (name, _, version, _, transport)) = protocol.parse(value)?;
    if name.eq_ignore_ascii_case(b"SIP") && version == b"2.0" {
        Ok((rest, transport))
    } else {
        Err(nom::Err::Error(()))
    }
}
