//! Parameters: `;name=value`, in headers and in URIs.

use super::grammar::{
    Parsed, ValueError, is_token, lws, plain_value, quoted_string, separator, token,
};
use crate::scan::find;

/// The parameters of a value, in their order: names as they came, and values where there are any.
///
/// A quoted value keeps its quotes; [`unquoted`](super::unquoted) resolves them.
#[derive(Clone, Debug)]
pub struct Params<'a> {
    rest: &'a [u8],
    form: Form,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    /// After a header value: white space around the delimiters, quoted strings.
    Header,
    /// Inside a URI: neither.
    Uri,
}

impl<'a> Params<'a> {
    /// The value of the first parameter with this name, in any case; empty for one without value.
    pub fn value_of(mut self, name: &[u8]) -> Option<&'a [u8]> {
        self.find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.unwrap_or_default())
    }

    /// Parameters of a header; all of `bytes` must be `*(SEMI generic-param)`.
    pub(super) fn validated(bytes: &'a [u8]) -> Result<&'a [u8], ValueError> {
        let mut rest = bytes;
        while Self::next_valid(&mut rest)?.is_some() {}
        Ok(bytes)
    }

    /// Takes the first parameter off `rest`; `None` at its end. For those that judge what they see.
    pub(super) fn next_valid(rest: &mut &'a [u8]) -> Result<Option<Param<'a>>, ValueError> {
        if rest.is_empty() {
            return Ok(None);
        }
        let (after, param) = header_param(rest)?;
        *rest = lws(after);
        Ok(Some(param))
    }

    /// Over bytes that [`Params::validated`] accepted.
    pub(super) fn of_header(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, form: Form::Header }
    }

    /// Over the part of a URI from its first semicolon on.
    pub(super) fn of_uri(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, form: Form::Uri }
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let (rest, param) = match self.form {
            Form::Header => header_param(self.rest).ok()?,
            Form::Uri => uri_param(self.rest)?,
        };
        self.rest = rest;
        Some(param)
    }
}

/// Name and value.
pub(super) type Param<'a> = (&'a [u8], Option<&'a [u8]>);

fn header_param(input: &[u8]) -> Parsed<'_, Param<'_>> {
    let start = match input {
        // as most peers write it: no white space
        [b';', start @ ..] if start.first().is_some_and(|byte| is_token(*byte)) => start,
        _ => separator(b';', input)?,
    };
    let (rest, name) = token(start)?;
    // Most parameters have no white space in them; it costs less to see that first.
    let value = match rest {
        [] | [b';', ..] => return Ok((rest, (name, None))),
        [b'=', value @ ..] => lws(value),
        _ => match separator(b'=', rest) {
            Ok(value) => value,
            Err(_) => return Ok((rest, (name, None))),
        },
    };
    let (rest, value) = match value {
        [b'"', ..] => quoted_string(value)?,
        _ => plain_value(value)?,
    };
    Ok((rest, (name, Some(value))))
}

fn uri_param(input: &[u8]) -> Option<(&[u8], Param<'_>)> {
    let body = input.strip_prefix(b";")?;
    let (param, rest) = body.split_at_checked(find(b';', body).unwrap_or(body.len()))?;
    let param = match find(b'=', param) {
        Some(at) => (param.get(..at)?, param.get(at + 1..)),
        None => (param, None),
    };
    Some((rest, param))
}
