use super::formats::Formats;
use super::media::Media;
use super::remote::is_unicast;
use super::session::Session;
use super::{Direction, LocalMedia, MediaPlan, WriteError};
use crate::bytes::Text;
use crate::limits::MEDIA_MAX;

/// The numbers of our `o=` line (RFC 8866 s5.2).
///
/// The session id stays for the whole call; the version goes up by one with each changed
/// description (RFC 3264 s8). Both must fit in 63 bits, the first version in 62.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Origin {
    /// Names the session; random.
    pub session_id: u64,
    /// Counts the descriptions.
    pub version: u64,
}

/// Writes the first offer of a call: one audio stream. Returns the number of bytes written.
///
/// # Errors
/// [`WriteError`]: the buffer is too small (300 bytes are enough), or the local address is none.
pub fn write_offer(
    buf: &mut [u8],
    local: &LocalMedia,
    origin: Origin,
) -> Result<usize, WriteError> {
    let mut text = Text::new(buf);
    write_session(&mut text, local, origin)?;
    let formats = Formats::offered(local, None);
    write_audio(&mut text, local, &formats, local.direction);
    text.finish().ok_or(WriteError::NoRoom)
}

/// Writes a later offer within a call, as for hold, resume and moved media.
///
/// It has the streams of the previous description in their order, the refused ones again with
/// port 0, and keeps the payload types of `current` (RFC 3264 s8).
///
/// # Errors
/// [`WriteError`], as [`write_offer`].
pub fn write_reoffer(
    buf: &mut [u8],
    local: &LocalMedia,
    origin: Origin,
    shape: &Shape,
    current: &MediaPlan,
) -> Result<usize, WriteError> {
    let mut text = Text::new(buf);
    write_session(&mut text, local, origin)?;
    let formats = Formats::offered(local, Some(current));
    for (index, kind) in shape.kinds().enumerate() {
        if index == usize::from(shape.active) {
            write_audio(&mut text, local, &formats, local.direction);
        } else {
            text.put(kind.refused());
        }
    }
    text.finish().ok_or(WriteError::NoRoom)
}

/// The streams of a call: how many, of which kind, and which of them is in use. A later offer
/// must repeat them in their order (RFC 3264 s8); this is all that must be remembered for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shape {
    kinds: [Kind; MEDIA_MAX],
    count: u8,
    active: u8,
}

impl Shape {
    /// The shape of the last description that we sent, offer or answer; `None` where it has no
    /// stream in use.
    pub fn of(ours: &[u8]) -> Option<Self> {
        let session = Session::parse(ours).ok()?;
        let mut shape = Self::default();
        let mut active = None;
        for (index, media) in (0..).zip(session.media()) {
            *shape.kinds.get_mut(usize::from(index))? = Kind::of(&media);
            shape.count = index + 1;
            if media.port() != Some(0) {
                active.get_or_insert(index);
            }
        }
        shape.active = active?;
        Some(shape)
    }

    /// That of [`write_offer`].
    pub const OFFER: Self = Self { kinds: [Kind::Audio; MEDIA_MAX], count: 1, active: 0 };

    /// The next stream of an answer; more than [`MEDIA_MAX`] are not answered.
    pub(super) fn push(&mut self, media: &Media<'_>, is_active: bool) {
        if let Some(kind) = self.kinds.get_mut(usize::from(self.count)) {
            *kind = Kind::of(media);
            if is_active {
                self.active = self.count;
            }
            self.count += 1;
        }
    }

    fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.kinds.into_iter().take(usize::from(self.count))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
enum Kind {
    #[default]
    Audio = 0,
    Video,
    Text,
    Application,
    Message,
    Image,
}

impl Kind {
    fn of(media: &Media<'_>) -> Self {
        match media.kind() {
            b"audio" => Self::Audio,
            b"video" => Self::Video,
            b"text" => Self::Text,
            b"message" => Self::Message,
            b"image" => Self::Image,
            // An unused slot may change its type (RFC 3264 s8.3.3), so others need no name here.
            _ => Self::Application,
        }
    }

    /// The line of a stream that is not in use; its protocol and format are ignored.
    const fn refused(self) -> &'static [u8] {
        match self {
            Self::Audio => b"m=audio 0 RTP/AVP 0\r\n",
            Self::Video => b"m=video 0 RTP/AVP 31\r\n",
            Self::Text => b"m=text 0 RTP/AVP 98\r\n",
            Self::Application => b"m=application 0 udp *\r\n",
            Self::Message => b"m=message 0 TCP/MSRP *\r\n",
            Self::Image => b"m=image 0 udptl t38\r\n",
        }
    }
}

/// Writes everything above the first `m=` line. The `c=` line stands here, for all streams:
/// refused ones need one too (RFC 8866 s5.7), and some peers look nowhere else.
pub(super) fn write_session(
    text: &mut Text<'_>,
    local: &LocalMedia,
    origin: Origin,
) -> Result<(), WriteError> {
    let address = local.address.ip();
    if !is_unicast(address) || local.address.port() == 0 {
        return Err(WriteError::LocalAddress);
    }
    let kind: &[u8] = if address.is_ipv4() { b" IN IP4 " } else { b" IN IP6 " };
    text.put(b"v=0\r\no=- ").number(origin.session_id).put(b" ").number(origin.version);
    text.put(kind).ip(address).put(b"\r\ns=-\r\nc=").put(kind.trim_ascii_start()).ip(address);
    text.put(b"\r\nt=0 0\r\n");
    Ok(())
}

/// Writes our audio stream.
pub(super) fn write_audio(
    text: &mut Text<'_>,
    local: &LocalMedia,
    formats: &Formats,
    direction: Direction,
) {
    text.put(b"m=audio ").number(local.address.port().into()).put(b" RTP/AVP");
    formats.write_numbers(text);
    formats.write_attributes(text);
    let ptime_ms = local.ptime_ms.clamp(PTIME_MIN_MS, PTIME_MAX_MS);
    text.put(b"\r\na=ptime:").number(ptime_ms.into());
    text.put(direction.line());
}

/// Shortest packet that we send or ask for, milliseconds.
pub(super) const PTIME_MIN_MS: u8 = 10;
/// Longest one: the session's frame holds no more.
pub(super) const PTIME_MAX_MS: u8 = 60;
