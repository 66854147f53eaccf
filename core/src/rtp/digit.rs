/// One DTMF digit: `0` to `9`, `*`, `#`, `A` to `D` (RFC 4733 s3.2, events 0 to 15).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digit(u8);

impl Digit {
    /// The digit that a character names; letters in either case.
    pub const fn from_char(character: char) -> Option<Self> {
        match character {
            '0'..='9' => Some(Self(character as u8 - b'0')),
            '*' => Some(Self(10)),
            '#' => Some(Self(11)),
            'A'..='D' => Some(Self(character as u8 - b'A' + 12)),
            'a'..='d' => Some(Self(character as u8 - b'a' + 12)),
            _ => None,
        }
    }

    /// The digit of a telephone-event code, 0 to 15; other events (flash, fax tones) are none.
    pub const fn from_event(event: u8) -> Option<Self> {
        if event < 16 { Some(Self(event)) } else { None }
    }

    /// The telephone-event code, 0 to 15.
    pub const fn event(self) -> u8 {
        self.0
    }

    /// The character, letters in upper case.
    pub const fn as_char(self) -> char {
        match self.0 {
            code @ 0..=9 => (b'0' + code) as char,
            10 => '*',
            11 => '#',
            code => (b'A' + code.wrapping_sub(12)) as char,
        }
    }
}

impl core::fmt::Debug for Digit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(&self.as_char(), f)
    }
}

impl core::fmt::Display for Digit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(&self.as_char(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixteen_digits_keep_their_event_codes() {
        for (code, character) in "0123456789*#ABCD".chars().enumerate() {
            let digit = Digit::from_char(character).unwrap();
            assert_eq!(digit.event() as usize, code);
            assert_eq!(digit.as_char(), character);
            assert_eq!(Digit::from_event(code as u8), Some(digit));
            assert_eq!(Digit::from_char(character.to_ascii_lowercase()), Some(digit));
        }
    }

    #[test]
    fn other_characters_and_events_are_no_digits() {
        let digits = (0..=0x2ff).filter_map(char::from_u32).filter_map(Digit::from_char);
        assert_eq!(digits.count(), 20);
        assert!((16..=255).all(|event| Digit::from_event(event).is_none()));
    }
}
