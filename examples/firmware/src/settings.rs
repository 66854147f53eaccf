//! Settings of a run as `name=value` words, read without formatting or parsing code of the
//! standard library, which costs kilobytes of flash.

use core::net::{Ipv4Addr, SocketAddrV4};

/// The words that a run was started with.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a>(&'a str);

impl<'a> Settings<'a> {
    /// Reads words separated by spaces; words without `=` are passed over.
    pub const fn new(words: &'a str) -> Self {
        Self(words)
    }

    /// The value of the first word that begins with `name=`.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let mut rest = Some(self.0);
        while let Some(words) = rest {
            let (word, others) = cut(words, b' ');
            if let Some(value) = word.strip_prefix(name).and_then(|word| word.strip_prefix('=')) {
                return Some(value);
            }
            rest = others;
        }
        None
    }

    /// A decimal number.
    pub fn number(&self, name: &str) -> Option<u32> {
        decimal(self.text(name)?)
    }

    /// An IPv4 address, `10.0.2.2`.
    pub fn ipv4(&self, name: &str) -> Option<Ipv4Addr> {
        ipv4(self.text(name)?)
    }

    /// An IPv4 address with a port, `10.0.2.2:5060`.
    pub fn address(&self, name: &str) -> Option<SocketAddrV4> {
        let (host, port) = cut(self.text(name)?, b':');
        Some(SocketAddrV4::new(ipv4(host)?, u16::try_from(decimal(port?)?).ok()?))
    }
}

fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut rest = Some(text);
    for octet in &mut octets {
        let (part, others) = cut(rest?, b'.');
        *octet = u8::try_from(decimal(part)?).ok()?;
        rest = others;
    }
    rest.is_none().then_some(octets.into())
}

/// What stands before the first `mark`, and what behind it if there is one.
#[inline(never)]
fn cut(text: &str, mark: u8) -> (&str, Option<&str>) {
    let end = text.bytes().take_while(|byte| *byte != mark).count();
    (text.get(..end).unwrap_or_default(), text.get(end + 1..))
}

fn decimal(text: &str) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0u32, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { value.checked_mul(10)?.checked_add(u32::from(digit)) }
    })
}

#[cfg(test)]
mod tests {
    use super::Settings;

    #[test]
    fn words_are_found_by_their_whole_name() {
        let settings = Settings::new("phone user=100 username=200 password=a=b empty=");
        assert_eq!(settings.text("user"), Some("100"));
        assert_eq!(settings.text("username"), Some("200"));
        assert_eq!(settings.text("password"), Some("a=b"));
        assert_eq!(settings.text("empty"), Some(""));
        assert_eq!(settings.text("phone"), None);
    }

    #[test]
    fn addresses_need_four_octets_and_a_port() {
        let at = |words| Settings::new(words).address("peer").map(|found| found.to_string());
        assert_eq!(at("peer=10.0.2.2:5060").as_deref(), Some("10.0.2.2:5060"));
        for wrong in [
            "peer=10.0.2:1",
            "peer=1.2.3.4.5:1",
            "peer=10.0.2.256:1",
            "peer=10.0.2.2",
            "peer=10.0.2.2:65536",
        ] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        assert_eq!(Settings::new("n=4294967295").number("n"), Some(u32::MAX));
        assert_eq!(Settings::new("n=4294967296").number("n"), None);
        assert_eq!(Settings::new("n=1a").number("n"), None);
    }
}
