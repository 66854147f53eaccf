//! Custom headers, packed into the text of an account or a call.
//!
//! Each is `METHOD TAB name COLON value LF`, with an empty METHOD for all.

use crate::scan::find;
use crate::sip::{HeaderName, Method, Writer, is_token};

use super::{CustomHeader, Error};

/// Pack `headers` into `room`; the length.
pub(super) fn pack(headers: &[CustomHeader<'_>], room: &mut [u8]) -> Result<usize, Error> {
    let mut len = 0;
    for header in headers {
        check(header)?;
        let method = header.method.unwrap_or("");
        for part in [method, "\t", header.name, ":", header.value, "\n"] {
            let end = len + part.len();
            room.get_mut(len..end).ok_or(Error::TooLong)?.copy_from_slice(part.as_bytes());
            len = end;
        }
    }
    Ok(len)
}

/// Refuse a header that is not one line, or that belongs to the endpoint.
pub(super) fn check(header: &CustomHeader<'_>) -> Result<(), Error> {
    let is_name = |text: &str| !text.is_empty() && text.bytes().all(is_token);
    let name_ok = is_name(header.name);
    let method_ok = header.method.is_none_or(is_name);
    let value_ok = !header.value.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    let is_ours = matches!(
        HeaderName::parse(header.name.as_bytes()),
        HeaderName::Via
            | HeaderName::To
            | HeaderName::CallId
            | HeaderName::CSeq
            | HeaderName::MaxForwards
            | HeaderName::Route
            | HeaderName::RecordRoute
            | HeaderName::ContentLength
            | HeaderName::ContentType
    );
    if name_ok && method_ok && value_ok && !is_ours { Ok(()) } else { Err(Error::Invalid) }
}

/// Refuse all where one of them is refused.
pub(super) fn check_all(headers: &[CustomHeader<'_>]) -> Result<(), Error> {
    headers.iter().try_for_each(check)
}

/// The packed headers that go with `method`.
pub(super) fn for_method<'b>(
    packed: &'b [u8],
    method: &'b [u8],
) -> impl Iterator<Item = (&'b [u8], &'b [u8])> {
    packed.split(|byte| *byte == b'\n').filter_map(move |line| {
        let tab = find(b'\t', line)?;
        let (only, rest) = line.split_at_checked(tab)?;
        let colon = find(b':', rest)?;
        let name = rest.get(1..colon)?;
        let value = rest.get(colon + 1..)?;
        (only.is_empty() || only == method).then_some((name, value))
    })
}

/// The value that replaces one of ours: `User-Agent`, `From` or `Contact`.
pub(super) fn replacement<'b>(
    packed: &[&'b [u8]],
    method: &'b [u8],
    name: HeaderName<'_>,
) -> Option<&'b [u8]> {
    // those of the call stand behind those of the account, and win
    packed.iter().rev().find_map(|packed| {
        for_method(packed, method).find(|(own, _)| HeaderName::parse(own) == name).map(|(_, v)| v)
    })
}

/// Write the headers that add to ours.
pub(super) fn write(writer: &mut Writer<'_>, packed: &[&[u8]], method: Method<'_>) {
    for packed in packed {
        for (name, value) in for_method(packed, method.as_bytes()) {
            let name = HeaderName::parse(name);
            if !replaces(name) {
                writer.header(name, value);
            }
        }
    }
}

fn replaces(name: HeaderName<'_>) -> bool {
    matches!(name, HeaderName::UserAgent | HeaderName::From | HeaderName::Contact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_go_with_their_method_and_the_call_wins() {
        let mut room = [0; 200];
        let account = [
            CustomHeader::new("X-Device", "door: 1"),
            CustomHeader { method: Some("REGISTER"), name: "X-Only", value: "r" },
            CustomHeader::new("User-Agent", "one"),
        ];
        let len = pack(&account, &mut room).unwrap();
        let account = &room[..len];
        let names: std::vec::Vec<_> = for_method(account, b"INVITE").collect();
        assert_eq!(names, [(&b"X-Device"[..], &b"door: 1"[..]), (b"User-Agent", b"one")]);
        assert_eq!(for_method(account, b"REGISTER").count(), 3);
        let mut more = [0; 200];
        let len = pack(&[CustomHeader::new("user-agent", "two")], &mut more).unwrap();
        let both = [account, &more[..len]];
        assert_eq!(replacement(&both, b"INVITE", HeaderName::UserAgent), Some(&b"two"[..]));
        assert_eq!(replacement(&both, b"INVITE", HeaderName::From), None);
    }

    #[test]
    fn what_would_inject_or_belongs_to_the_endpoint_is_refused() {
        for (name, value) in [
            ("X", "a\r\nVia: b"),
            ("X", "a\nb"),
            ("X\r\nY", "a"),
            ("", "a"),
            ("X Y", "a"),
            ("Via", "a"),
            ("v", "a"),
            ("CSEQ", "1 INVITE"),
        ] {
            let header = CustomHeader::new(name, value);
            assert_eq!(check(&header), Err(Error::Invalid), "{name}: {value}");
        }
        assert_eq!(pack(&[CustomHeader::new("X", "abc")], &mut [0; 5]), Err(Error::TooLong));
    }
}
