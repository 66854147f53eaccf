use super::formats::{Format, Formats, Known};
use super::media::{Facts, Media};
use super::offer::{Origin, PTIME_MAX_MS, PTIME_MIN_MS, Shape, write_audio, write_session};
use super::remote::Remote;
use super::session::Session;
use super::{AnswerError, Direction, DtmfPlan, LocalMedia, MediaPlan, WriteError};
use crate::bytes::Text;
use crate::limits::MEDIA_MAX;
use crate::rtp::Codec;

/// Writes the answer to an offer into `buf` (RFC 3264 s6) and says what was agreed. Returns the
/// number of bytes written.
///
/// The first audio stream over RTP/AVP that we can use is accepted, with the first of its codecs
/// that `local` has; every other stream is refused with port 0, in its place.
///
/// # Errors
/// [`AnswerError`]; its status answers the request. More streams than [`MEDIA_MAX`] are not
/// acceptable, and of each stream the first [`FORMATS_MAX`] formats are looked at.
///
/// [`FORMATS_MAX`]: crate::limits::FORMATS_MAX
pub fn answer(
    offer: &[u8],
    local: &LocalMedia,
    origin: Origin,
    buf: &mut [u8],
) -> Result<(usize, MediaPlan), AnswerError> {
    let (mut plan, mut shape) = (None, Shape::default());
    let length = answer_with_shape(offer, local, origin, buf, &mut plan, &mut shape)?;
    Ok((length, plan.ok_or(AnswerError::NotAcceptable)?))
}

/// [`answer`], which also gives the shape of what was written. `plan` and `shape` are filled in
/// where they stand, as a plan is long; where there is no answer, what they hold means nothing.
pub(crate) fn answer_with_shape(
    offer: &[u8],
    local: &LocalMedia,
    origin: Origin,
    buf: &mut [u8],
    accepted: &mut Option<MediaPlan>,
    shape: &mut Shape,
) -> Result<usize, AnswerError> {
    let session = Session::parse(offer)?;
    let mut text = Text::new(buf);
    let begun = write_session(&mut text, local, origin);
    (*accepted, *shape) = (None, Shape::default());
    for (index, media) in session.media().enumerate() {
        if index >= MEDIA_MAX {
            return Err(AnswerError::NotAcceptable);
        }
        let is_decided = accepted.is_some();
        if !is_decided {
            *accepted = agree(&media, None, local);
        }
        match accepted.as_ref().filter(|_| !is_decided) {
            Some(plan) => {
                write_audio(&mut text, local, &Formats::agreed(plan), plan.direction);
            }
            None => write_refused(&mut text, &media),
        }
        shape.push(&media, accepted.is_some() && !is_decided);
    }
    if accepted.is_none() {
        return Err(AnswerError::NotAcceptable);
    }
    begun?;
    Ok(text.finish().ok_or(WriteError::NoRoom)?)
}

/// Whether [`answer`] would accept this offer, without writing anything.
pub(crate) fn check_offer(offer: &[u8], local: &LocalMedia) -> Result<(), AnswerError> {
    let session = Session::parse(offer)?;
    let mut streams = session.media();
    let usable = streams.by_ref().take(MEDIA_MAX).any(|media| agree(&media, None, local).is_some());
    let few = usable && session.media().nth(MEDIA_MAX).is_none();
    if few { Ok(()) } else { Err(AnswerError::NotAcceptable) }
}

/// Reads the answer to our offer (RFC 3264 s7): `our_offer` as it was sent, and the `local` that
/// it was made from.
///
/// # Errors
/// [`AnswerError::Mismatch`] where the streams are not those of the offer,
/// [`AnswerError::Refused`] for port 0, [`AnswerError::NotAcceptable`] where the answer names
/// nothing that we offered or an address that nothing can be sent to.
#[inline(never)] // for its frame
pub fn accept_answer(
    our_offer: &[u8],
    answer: &[u8],
    local: &LocalMedia,
) -> Result<MediaPlan, AnswerError> {
    let ours = Session::parse(our_offer)?;
    let theirs = Session::parse(answer)?;
    let (mut ours, mut theirs) = (ours.media(), theirs.media());
    let mut active = None;
    loop {
        match (ours.next(), theirs.next()) {
            // Of the streams that we refused a peer can accept nothing, whatever it writes.
            (Some(ours), Some(_)) if ours.port() == Some(0) => {}
            (Some(ours), Some(theirs)) => {
                active.get_or_insert((ours, theirs));
            }
            (None, None) => break,
            _ => return Err(AnswerError::Mismatch),
        }
    }
    let (ours, theirs) = active.ok_or(AnswerError::NotAcceptable)?;
    if ours.kind() != theirs.kind() {
        return Err(AnswerError::Mismatch);
    }
    if theirs.port() == Some(0) {
        return Err(AnswerError::Refused);
    }
    let (stream, mut ours) = (ours, Ours { known: Known::none(), direction: ours.direction() });
    ours.known.read(&stream, None, local);
    agree(&theirs, Some(&ours), local).ok_or(AnswerError::NotAcceptable)
}

/// [`accept_answer`] for what [`write_offer`](super::write_offer) made from `local`.
#[inline(never)] // for its frame
pub(crate) fn accept_first_answer(
    answer: &[u8],
    local: &LocalMedia,
) -> Result<MediaPlan, AnswerError> {
    let theirs = Session::parse(answer)?;
    let mut streams = theirs.media();
    let (Some(stream), None) = (streams.next(), streams.next()) else {
        return Err(AnswerError::Mismatch);
    };
    if stream.kind() != b"audio" {
        return Err(AnswerError::Mismatch);
    }
    if stream.port() == Some(0) {
        return Err(AnswerError::Refused);
    }
    let mut ours = Ours { known: Known::none(), direction: local.direction };
    Formats::offered(local, None).tell(&mut ours.known);
    agree(&stream, Some(&ours), local).ok_or(AnswerError::NotAcceptable)
}

/// What we offered.
struct Ours {
    known: Known,
    direction: Direction,
}

/// What we and the peer can do together over one stream. `ours` is our offered stream where the
/// peer's is an answer; otherwise the peer's numbers become ours.
fn agree(peer: &Media<'_>, ours: Option<&Ours>, local: &LocalMedia) -> Option<MediaPlan> {
    if peer.kind() != b"audio" || peer.protocol() != b"RTP/AVP" || peer.port_count() != 1 {
        return None;
    }
    let port = peer.port().filter(|&port| port != 0)?;
    let facts = peer.facts();
    let remote = Remote::of(&facts, port, local.address)?;
    let Common { codec, send_type, receive_type, dtmf } = common(peer, ours, local)?;
    Some(MediaPlan {
        local: local.address,
        remote: remote.rtp,
        remote_rtcp: remote.rtcp,
        codec,
        send_type,
        receive_type,
        dtmf,
        ptime_ms: ptime_ms(&facts, local),
        direction: direction(&facts, ours, local, remote),
    })
}

/// What both sides have of one stream's formats.
struct Common {
    codec: Codec,
    send_type: u8,
    receive_type: u8,
    dtmf: Option<DtmfPlan>,
}

/// The peer's most preferred codec that we have too, and the telephone-event of its clock rate.
#[inline(never)] // for its frame
fn common(peer: &Media<'_>, ours: Option<&Ours>, local: &LocalMedia) -> Option<Common> {
    let ours = ours.map(|ours| &ours.known);
    let mut theirs = Known::none();
    theirs.read(peer, ours, local);
    let receive_type = |format, send_type| match &ours {
        None => Some(send_type),
        Some(ours) => ours.number(format),
    };
    let (codec, send_type, receive) = theirs.usable().find_map(|(number, format)| {
        let Format::Codec(codec) = format else { return None };
        Some((codec, number, receive_type(format, number)?))
    })?;
    let clock_rate_hz = codec.clock_rate_hz();
    let event = Format::Event(clock_rate_hz);
    let dtmf = theirs.number(event).filter(|_| local.dtmf).and_then(|send_type| {
        let receive_type = receive_type(event, send_type)?;
        Some(DtmfPlan { send_type, receive_type, clock_rate_hz })
    });
    Some(Common { codec, send_type, receive_type: receive, dtmf })
}

/// The length of the packets that we send: what the peer wishes, within what a frame can hold.
/// A peer's zero or nonsense counts as no wish.
fn ptime_ms(peer: &Facts<'_>, local: &LocalMedia) -> u8 {
    let wished = peer.ptime.filter(|ms| *ms != 0).unwrap_or(local.ptime_ms.into());
    let longest = peer.maxptime.filter(|ms| *ms != 0).unwrap_or(wished);
    let ms = u8::try_from(wished.min(longest)).unwrap_or(PTIME_MAX_MS);
    ms.clamp(PTIME_MIN_MS, PTIME_MAX_MS)
}

/// Which way media flows, seen from us: what both sides want.
fn direction(
    peer: &Facts<'_>,
    ours: Option<&Ours>,
    local: &LocalMedia,
    remote: Remote,
) -> Direction {
    let wanted = ours.map_or(local.direction, |ours| ours.direction);
    let peers = peer.direction.unwrap_or_default();
    let sends = wanted.sends() && peers.receives() && !remote.is_held;
    match (sends, wanted.receives() && peers.sends()) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    }
}

/// Refuses a stream in its place: the same kind and protocol, port 0 and one of its formats,
/// since there must be one (RFC 3264 s6).
fn write_refused(text: &mut Text<'_>, media: &Media<'_>) {
    text.put(b"m=").put(media.kind()).put(b" 0 ").put(media.protocol()).put(b" ");
    text.put(media.formats().next().unwrap_or(b"0")).put(b"\r\n");
}
