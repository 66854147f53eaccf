//! The smaller typed values.

use nom::Parser;

use super::grammar::{ValueError, digits, lws, number, token, trim};
use super::name::Method;

/// CSeq: a number below 2^31 and a method (RFC 3261 s8.1.1.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CSeq<'a> {
    /// Below 2^31.
    pub number: u32,
    /// The method of the request that this belongs to.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Reads a CSeq value.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let (rest, (digits, method)) = (digits, spaced_token).parse(trim(value))?;
        if !rest.is_empty() {
            return Err(ValueError::Syntax);
        }
        let number = number(digits, CSEQ_MAX)?;
        let number = u32::try_from(number).map_err(|_| ValueError::Range)?;
        Ok(Self { number, method: Method::parse(method) })
    }
}

const CSEQ_MAX: u64 = (1 << 31) - 1;

/// A token behind white space that must be there.
fn spaced_token(input: &[u8]) -> super::grammar::Parsed<'_, &[u8]> {
    let (rest, ()) = lws(input)?;
    if rest.len() == input.len() {
        return Err(nom::Err::Error(()));
    }
    token(rest)
}
