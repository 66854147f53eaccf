use core::fmt;
use std::sync::Arc;

use sansip::sip;

/// A whole SIP message that the application may keep; a clone shares its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Message(Arc<[u8]>);

impl Message {
    pub(crate) fn new(message: &sip::Message<'_>) -> Self {
        Self(message.bytes().into())
    }

    /// Every byte.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The view that gives start line, headers and body.
    ///
    /// # Errors
    /// Never in practice: the bytes were read before they were copied.
    pub fn view(&self) -> Result<sip::Message<'_>, sip::ParseError> {
        sip::Message::parse(&self.0)
    }

    /// The first header of this name, in any case or compact form, if it is UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.view().ok()?.header(sip::HeaderName::parse(name.as_bytes()))?;
        str::from_utf8(value).ok()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.0.split(|byte| *byte == b'\r').next().unwrap_or_default();
        write!(f, "Message({:?})", String::from_utf8_lossy(line))
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}
