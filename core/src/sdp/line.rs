use crate::bytes::cut;
use crate::scan::find;

/// One line of a session description with its exact bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<'a> {
    /// The letter before the equals sign; 0 for an empty line.
    pub kind: u8,
    /// What follows the equals sign, without the line end.
    pub value: &'a [u8],
    /// The whole line with its end: all `raw` together are the description again.
    pub raw: &'a [u8],
}

/// The lines of a description or of a part of it.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// The bytes of the lines that have not been taken yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let end = find(b'\n', self.rest).map_or(self.rest.len(), |newline| newline + 1);
        let (raw, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let text = match raw {
            [text @ .., b'\r', b'\n'] | [text @ .., b'\n'] => text,
            text => text,
        };
        Some(match text {
            [kind, b'=', value @ ..] => Line { kind: *kind, value, raw },
            _ => Line { kind: 0, value: &[], raw },
        })
    }
}

/// An `a=` line (RFC 8866 s5.13).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute<'a> {
    /// What stands before the colon; compared with case.
    pub name: &'a [u8],
    /// What stands behind the colon; a flag has none.
    pub value: Option<&'a [u8]>,
}

/// The attributes of a session or of one media description, in their order.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    lines: Lines<'a>,
}

impl<'a> Attributes<'a> {
    pub(super) const fn new(section: &'a [u8]) -> Self {
        Self { lines: Lines::new(section) }
    }
}

/// The values of the attributes `name` in a section, empty for flags. It compares beginnings
/// only, so that looking something up costs little more than finding the lines.
pub(super) fn values_of<'a>(section: &'a [u8], name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    Lines::new(section).filter(|line| line.kind == b'a').filter_map(move |line| {
        match line.value.strip_prefix(name)? {
            [] => Some([].as_slice()),
            [b':', value @ ..] => Some(value),
            _ => None,
        }
    })
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let line = self.lines.find(|line| line.kind == b'a')?;
        let (name, value) = cut(line.value, b':');
        Some(Attribute { name, value })
    }
}
