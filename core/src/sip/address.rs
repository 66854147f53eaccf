//! name-addr: From, To, Route and their kin, and Contact, which knows more (RFC 3261 s20.10).

use super::grammar::trim;
use super::grammar::{
    Part, ValueError, is, lws, number, quoted_string, require_short, strip_quotes,
};
use super::params::Params;
use super::uri::Uri;
use crate::scan::find;

/// A URI with a display name and parameters of the header, such as From's tag.
#[derive(Clone, Copy, Debug)]
pub struct NameAddr<'a> {
    raw: &'a [u8],
    uri: Uri<'a>,
    /// It begins the value.
    display_len: u16,
    params_start: u16,
    // what every message is asked for, seen while the parameters were checked
    tag: Part,
}

impl<'a> NameAddr<'a> {
    /// Reads one value: `"Name" <uri>;params`, `Name <uri>;params` or `uri;params`.
    ///
    /// Without angle brackets the parameters belong to the header, and the URI may have neither
    /// comma nor question mark (RFC 3261 s20). Of more than 65,535 bytes it is refused.
    pub fn parse(raw: &'a [u8]) -> Result<Self, ValueError> {
        Self::parse_checked(raw, false)
    }

    /// The same; `with_q` if a `q` parameter must be well-formed.
    fn parse_checked(raw: &'a [u8], with_q: bool) -> Result<Self, ValueError> {
        let raw = trim(raw);
        require_short(raw)?;
        let (display_len, uri, params_start) = split(raw)?;
        let uri = Uri::parse(uri)?;
        let mut rest = raw.get(params_start..).unwrap_or_default();
        let mut first_tag = None;
        while let Some((name, value)) = Params::next_valid(&mut rest)? {
            if is(name, b"tag") {
                first_tag.get_or_insert(value.unwrap_or_default());
            } else if with_q && is(name, b"q") && value.and_then(thousandths).is_none() {
                return Err(ValueError::Syntax);
            }
        }
        let tag = match first_tag {
            Some(tag @ [_, ..]) => Part::within(raw, tag),
            _ => Part::NONE,
        };
        let (display_len, params_start) = (display_len as u16, params_start as u16);
        Ok(Self { raw, uri, display_len, params_start, tag })
    }

    fn param_bytes(&self) -> &'a [u8] {
        self.raw.get(usize::from(self.params_start)..).unwrap_or_default()
    }

    /// The bytes of the value as they came.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// The display name as it came, with its quotes if it had any; empty without one.
    ///
    /// [`unquoted`](super::unquoted) gives it for people.
    pub fn display(&self) -> &'a [u8] {
        self.raw.get(..usize::from(self.display_len)).unwrap_or_default()
    }

    /// The URI.
    pub fn uri(&self) -> Uri<'a> {
        self.uri
    }

    /// The parameters of the header, not those of the URI.
    pub fn params(&self) -> Params<'a> {
        Params::of_header(self.param_bytes())
    }

    /// The value of a header parameter, in any case; empty for one without a value.
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params().value_of(name)
    }

    /// The `tag` parameter of From and To.
    #[inline(always)] // else a whole value is copied to ask it
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.tag.of(self.raw)
    }

    /// The bytes up to the header parameters: what From and To keep in a dialog.
    pub fn without_params(&self) -> &'a [u8] {
        trim(self.raw.get(..usize::from(self.params_start)).unwrap_or_default())
    }
}

/// The length of the display name, the URI, and where the parameters of the header begin.
fn split(value: &[u8]) -> Result<(usize, &[u8], usize), ValueError> {
    let (display, after) = match value {
        [b'"', ..] => {
            let (rest, display) = quoted_string(value)?;
            (display, lws(rest))
        }
        _ => match find(b'<', value) {
            Some(at) if !is_addr_spec(value, at) => {
                let (display, rest) = value.split_at_checked(at).ok_or(ValueError::Syntax)?;
                let display = trim(display);
                if !display.iter().all(|byte| is_display(*byte)) {
                    return Err(ValueError::Syntax);
                }
                (display, rest)
            }
            _ => {
                let uri = addr_spec(value)?;
                return Ok((0, uri, uri.len()));
            }
        },
    };
    let inside = after.strip_prefix(b"<").ok_or(ValueError::Syntax)?;
    let close = find(b'>', inside).ok_or(ValueError::Syntax)?;
    let (uri, rest) = inside.split_at_checked(close).ok_or(ValueError::Syntax)?;
    Ok((display.len(), uri, value.len() - rest.len() + 1))
}

/// The URI of a value without angle brackets.
fn addr_spec(value: &[u8]) -> Result<&[u8], ValueError> {
    let end = value.iter().position(|byte| matches!(byte, b';' | b' ' | b'\t' | b'\r' | b'\n'));
    let uri = value.get(..end.unwrap_or(value.len())).unwrap_or_default();
    match uri.iter().any(|byte| matches!(byte, b',' | b'?')) {
        true => Err(ValueError::Syntax),
        false => Ok(uri),
    }
}

/// One value of a Contact header.
#[derive(Clone, Copy, Debug)]
pub enum Contact<'a> {
    /// `*`: all bindings, in a REGISTER that removes them.
    Star,
    /// An address.
    Address(NameAddr<'a>),
}

impl<'a> Contact<'a> {
    /// Reads one value; `q` and `expires` must be well-formed where they stand.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        if trim(value) == b"*" {
            return Ok(Self::Star);
        }
        NameAddr::parse_checked(value, true).map(Self::Address)
    }

    /// The address, unless this is `*`.
    pub fn address(&self) -> Option<NameAddr<'a>> {
        match self {
            Self::Star => None,
            Self::Address(address) => Some(*address),
        }
    }

    /// The `q` parameter in thousandths, 0 to 1000.
    pub fn q_thousandths(&self) -> Option<u16> {
        thousandths(self.param(b"q")?)
    }

    /// The `expires` parameter, seconds. A value over 2^32-1 counts as that and a malformed one as
    /// 3600 (RFC 3261 s10.3, s20.10).
    pub fn expires_seconds(&self) -> Option<u32> {
        let value = self.param(b"expires")?;
        Some(match number(value, u32::MAX) {
            Ok(seconds) => seconds,
            Err(ValueError::Range) => u32::MAX,
            Err(ValueError::Syntax) => MALFORMED_EXPIRES_SECONDS,
        })
    }

    /// What stands between the quotes of `+sip.instance` (RFC 5626 s4.1).
    pub fn instance(&self) -> Option<&'a [u8]> {
        let value = self.param(b"+sip.instance")?;
        Some(strip_quotes(value).unwrap_or(value))
    }

    /// The value of a header parameter, in any case; empty for one without a value.
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.address()?.param(name)
    }
}

const MALFORMED_EXPIRES_SECONDS: u32 = 3600;

/// `qvalue`: 0 to 1 with at most three decimals, in thousandths.
pub(super) fn thousandths(value: &[u8]) -> Option<u16> {
    let (whole, decimals) = match value {
        [whole @ (b'0' | b'1')] => (whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut result = u16::from(whole - b'0') * 1000;
    for (decimal, unit) in decimals.iter().zip([100, 10, 1]) {
        result += u16::from(decimal.is_ascii_digit().then(|| decimal - b'0')?) * unit;
    }
    (result <= 1000).then_some(result)
}

/// Whether the `<` at `at` stands behind a URI rather than a display name: then the value has no
/// display name, and the bracket is somewhere in its parameters, where it is refused.
fn is_addr_spec(value: &[u8], at: usize) -> bool {
    value.get(..at).is_some_and(|lead| find(b';', lead).is_some())
}

/// What an unquoted display name may hold. The grammar says tokens; peers also send other
/// punctuation and UTF-8, which cannot be mistaken for anything else here.
fn is_display(byte: u8) -> bool {
    match byte {
        b'\t' | b' ' | b'\r' | b'\n' => true,
        b'"' | b'<' | b'>' | b',' | b';' | b'\\' | 0x7f => false,
        _ => byte > b' ',
    }
}
