use core::cell::Cell;
use core::time::Duration;

use embassy_time::with_timeout;
use heapless::String;
use sansip::endpoint::{AccountId, Body, CallId, CallView, Command, CustomHeader, Reason};
use sansip::limits::DIGIT_DURATION_MS;
use sansip::media::{DigitsError, Recorder, Report, Sink, Source, Tone, Wav};
use sansip::rtp::Digit;
use sansip::sdp::MediaPlan;
use sansip::sip::Message;

use crate::error::Error;
use crate::media::DIGITS_MAX;
use crate::phone::Phone;
use crate::recording::Recording;
use crate::request::{self, Response};
use crate::state::{CallEntry, Phase, State};

/// A call, either way. Dropping it hangs up.
pub struct Call<'d> {
    phone: Phone<'d>,
    place: usize,
    id: CallId,
    /// What [`Call::next_phase`] gave last.
    phase: Cell<Phase>,
}

/// Digits that were received.
pub type Digits = String<DIGITS_MAX>;

/// Placing and answering.
impl<'d> Call<'d> {
    pub(crate) const fn new(phone: Phone<'d>, place: usize, id: CallId) -> Self {
        Self { phone, place, id, phase: Cell::new(Phase::Waiting) }
    }

    /// Names the call.
    pub fn id(&self) -> CallId {
        self.id
    }

    /// Whose call it is: [`Line::id`](crate::Line::id).
    pub fn line(&self) -> Option<AccountId> {
        self.with(|call| call.line).ok().flatten()
    }

    /// Where the call stands.
    pub fn phase(&self) -> Phase {
        self.with(|call| call.phase).unwrap_or_default()
    }

    /// The next phase, each once; at first the one after [`Phase::Waiting`]. Phases that follow
    /// each other faster than this is asked for merge into the newest, and the end stays the end.
    ///
    /// # Errors
    /// The phone was shut down.
    pub async fn next_phase(&self) -> Result<Phase, Error> {
        let last = self.phase.get();
        if !matches!(last, Phase::Ended(_)) {
            let next = self.wait(|call| (call.phase != last).then_some(Ok(call.phase))).await;
            self.phase.set(match next {
                Err(Error::Failed(reason)) => Phase::Ended(reason),
                other => other?,
            });
        }
        Ok(self.phase.get())
    }

    /// Looks at the INVITE of an incoming call: who calls, and every header. `None` once the call
    /// is answered or over.
    pub fn invite<T>(&self, look: impl FnOnce(&Message<'_>) -> T) -> Option<T> {
        let state = self.phone.0.step().ok()?;
        state.endpoint.invite_message(self.id).map(|message| look(&message))
    }

    /// The audio stream that both sides agreed on last; `None` once the call is over.
    pub fn plan(&self) -> Option<MediaPlan> {
        self.view(|view| view.plan)?
    }

    /// Looks at the call: who it is, what was agreed on. `None` once it is over.
    pub fn view<T>(&self, look: impl FnOnce(&CallView<'_>) -> T) -> Option<T> {
        let state = self.phone.0.step().ok()?;
        state.endpoint.view(self.id).map(|view| look(&view))
    }

    /// Tells the caller that it rings: 180.
    ///
    /// # Errors
    /// The call is not an incoming one that waits for an answer.
    pub fn ring(&self) -> Result<(), Error> {
        self.progress(180, &[])
    }

    /// Sends a provisional response, 101 to 199, without early media.
    ///
    /// # Errors
    /// As [`Call::ring`].
    pub fn progress(&self, status: u16, headers: &[CustomHeader<'_>]) -> Result<(), Error> {
        let command = Command::Progress { call: self.id, status, media: None, headers };
        self.phone.0.command(command).map(drop)
    }

    /// Sends 183 and opens the audio stream before the answer.
    ///
    /// # Errors
    /// As [`Call::ring`].
    pub fn early_media(&self) -> Result<(), Error> {
        let mut state = self.phone.0.step()?;
        let media = Some(state.local_media(self.place).ok_or(Error::Closed)?);
        let call = self.id;
        state.command(Command::Progress { call, status: 183, media, headers: &[] }).map(drop)
    }

    /// Accepts an incoming call and waits until it is up.
    ///
    /// # Errors
    /// The call is over, or we have no media in common.
    pub async fn answer(&self) -> Result<(), Error> {
        self.answer_with(&[]).await
    }

    /// As [`Call::answer`], with headers for the 200.
    ///
    /// # Errors
    /// As [`Call::answer`].
    pub async fn answer_with(&self, headers: &[CustomHeader<'_>]) -> Result<(), Error> {
        {
            let mut state = self.phone.0.step()?;
            let media = state.local_media(self.place).ok_or(Error::Closed)?;
            state.command(Command::Answer { call: self.id, media, headers })?;
        }
        self.established().await
    }

    /// Refuses an incoming call with a final response, 300 to 699, such as 486 for busy.
    ///
    /// # Errors
    /// The call is not an incoming one that waits for an answer.
    pub fn reject(&self, status: u16) -> Result<(), Error> {
        self.reject_with(status, &[])
    }

    /// As [`Call::reject`], with headers, such as the Contacts of a 302.
    ///
    /// # Errors
    /// As [`Call::reject`].
    pub fn reject_with(&self, status: u16, headers: &[CustomHeader<'_>]) -> Result<(), Error> {
        self.phone.0.command(Command::Reject { call: self.id, status, headers }).map(drop)
    }

    /// Waits until the call is up.
    ///
    /// # Errors
    /// It ended before: [`Error::Failed`] with the reason.
    pub async fn established(&self) -> Result<(), Error> {
        self.wait(|call| (call.phase == Phase::Established).then_some(Ok(()))).await
    }

    /// Waits until the call is over and says why.
    ///
    /// # Errors
    /// The phone was shut down before.
    pub async fn ended(&self) -> Result<Reason, Error> {
        match self.wait::<()>(|_| None).await {
            Err(Error::Failed(reason)) => Ok(reason),
            Err(error) => Err(error),
            Ok(()) => Err(Error::Closed),
        }
    }

    /// Ends the call in whatever state it is and says how it ended.
    ///
    /// # Errors
    /// The phone was shut down.
    pub async fn hang_up(&self) -> Result<Reason, Error> {
        let asked = self.phone.0.step()?.hang_up(self.id);
        match asked {
            Ok(()) | Err(Error::Refused(_)) => self.ended().await,
            Err(error) => Err(error),
        }
    }

    /// Puts the peer on hold and waits until it agrees.
    ///
    /// # Errors
    /// The peer refused, the call ended, or it is not up.
    pub async fn hold(&self) -> Result<(), Error> {
        self.change(true).await
    }

    /// Takes the peer off hold and waits until it agrees.
    ///
    /// # Errors
    /// As [`Call::hold`].
    pub async fn resume(&self) -> Result<(), Error> {
        self.change(false).await
    }

    async fn change(&self, hold: bool) -> Result<(), Error> {
        let before = self.with(|call| (call.agreed, call.refused))?;
        let call = self.id;
        if hold {
            self.phone.0.command(Command::Hold(call))?;
        } else {
            self.phone.0.command(Command::Resume(call))?;
        }
        self.wait(|call| {
            if call.refused != before.1 {
                return Some(call.outcome.result());
            }
            (call.agreed != before.0).then_some(Ok(()))
        })
        .await
    }

    /// Sends a request inside the call, such as INFO or MESSAGE, and waits for its response.
    ///
    /// # Errors
    /// The request is not possible or got no response.
    pub async fn request(
        &self,
        method: &str,
        headers: &[CustomHeader<'_>],
        body: Option<Body<'_>>,
    ) -> Result<Response, Error> {
        let command = Command::RequestInCall { call: self.id, method, headers, body };
        request::send(self.phone, command).await
    }
}

/// Audio and digits.
impl<'d> Call<'d> {
    /// Plays a WAV in memory, such as `include_bytes!("hello.wav")`, and waits until it was sent.
    ///
    /// # Errors
    /// It is no WAV that [`Wav`] reads, or the call ended.
    pub async fn play(&self, wav: &[u8]) -> Result<(), Error> {
        self.play_source(Wav::parse(wav)?).await
    }

    /// Plays a sine of 300 to 3400 Hz at a quarter of full scale and waits until it was sent.
    ///
    /// # Errors
    /// The call ended.
    pub async fn play_tone(&self, hz: u32, length: Duration) -> Result<(), Error> {
        let left = u32::try_from(length.as_millis()).unwrap_or(u32::MAX);
        let source = Tone::new(hz, TONE_AMPLITUDE);
        self.play_source(Length { source, left: left.saturating_mul(8) as usize }).await
    }

    /// Plays a source of your own and waits until it ends. While nothing is played, silence is
    /// sent. Dropping the future stops it.
    ///
    /// The source is read in this task, when the session has taken the last frame.
    ///
    /// # Errors
    /// The call ended.
    pub async fn play_source(&self, mut source: impl Source) -> Result<(), Error> {
        loop {
            let room = self
                .wait(|call| {
                    let frame = if call.media.runs { call.media.session.frame() } else { 0 };
                    let room = frame.saturating_sub(call.media.captured.samples().len());
                    (room > 0).then_some(Ok(room))
                })
                .await?;
            let mut samples = [0; CHUNK];
            let part = samples.get_mut(..room.min(CHUNK)).unwrap_or_default();
            let count = source.read(part);
            let read = part.get(..count).unwrap_or_default();
            self.with(|call| call.media.captured.append(read))?;
            if count < part.len() {
                return self
                    .wait(|call| call.media.captured.samples().is_empty().then_some(Ok(())))
                    .await;
            }
        }
    }

    /// Records what is heard into `memory`, 8000 samples a second, until the call ends, the memory
    /// is full or [`Recording::stop`]. One recording a call: a new one ends the last.
    ///
    /// # Errors
    /// [`Error::Busy`] or [`Error::Closed`].
    pub fn record(&self, memory: &'d mut [i16]) -> Result<Recording<'d>, Error> {
        self.with(|call| call.media.tape = Some(Recorder::new(memory)))?;
        Ok(Recording::new(self.phone, self.place, self.id))
    }

    /// Gives what is heard to a sink of your own until the call ends. Dropping the future stops
    /// it.
    ///
    /// The sink is written in this task, once a frame; frames that it has no time for are lost.
    ///
    /// # Errors
    /// The call ended: [`Error::Failed`] with the reason.
    pub async fn listen(&self, sink: &mut impl Sink) -> Result<(), Error> {
        loop {
            self.wait(|call| (!call.media.heard.samples().is_empty()).then_some(Ok(()))).await?;
            // Not across the wait: it would stand in the task's memory for ever.
            let mut samples = [0; CHUNK];
            let count = self.with(|call| {
                let heard = &mut call.media.heard;
                let count = heard.samples().len().min(CHUNK);
                samples.iter_mut().zip(heard.samples()).for_each(|(to, from)| *to = *from);
                heard.drop_front(count);
                count
            })?;
            sink.write(samples.get(..count).unwrap_or_default());
        }
    }

    /// Sends digits (`0` to `9`, `*`, `#`, `A` to `D`) as telephone events (RFC 4733), each 160 ms
    /// long, and waits until the last one is out.
    ///
    /// # Errors
    /// A character is no digit, the peer takes no telephone events, or the call ended.
    pub async fn send_digits(&self, digits: &str) -> Result<(), Error> {
        self.send_long_digits(digits, Duration::from_millis(DIGIT_DURATION_MS)).await
    }

    /// As [`Call::send_digits`], each digit of the given length.
    ///
    /// # Errors
    /// As [`Call::send_digits`].
    pub async fn send_long_digits(&self, digits: &str, length: Duration) -> Result<(), Error> {
        if digits.bytes().any(|digit| Digit::from_char(digit.into()).is_none()) {
            return Err(Error::Digits(DigitsError::NotADigit));
        }
        let mut rest = digits;
        while let Some((one, others)) = rest.split_at_checked(1) {
            self.wait(|call| match call.media.session.send_digits(one, length.into()) {
                Err(DigitsError::NoRoom) => None,
                result => Some(result.map_err(Error::Digits)),
            })
            .await?;
            rest = others;
        }
        self.wait(|call| (call.media.session.digits_pending() == 0).then_some(Ok(()))).await
    }

    /// The next digit that the peer sent, `None` when the call is over. Thirty-two wait to be
    /// taken; later ones are lost.
    pub async fn digit(&self) -> Option<Digit> {
        self.phone
            .0
            .wait(|state| match self.entry(state) {
                // What came before the end is not lost.
                Some(call) => match (call.media.digits.pop_front(), call.phase) {
                    (Some(digit), _) => Some(Some(digit)),
                    (None, Phase::Ended(_)) => Some(None),
                    (None, _) => None,
                },
                None => Some(None),
            })
            .await
    }

    /// So many digits (at most thirty-two), or those that came until the peer paused for `pause`
    /// or the call ended.
    pub async fn digits(&self, count: usize, pause: Duration) -> Digits {
        let mut digits = Digits::new();
        let pause = embassy_time::Duration::from_millis(pause.as_millis() as u64);
        while digits.len() < count {
            match with_timeout(pause, self.digit()).await {
                Ok(Some(digit)) if digits.push(digit.as_char()).is_ok() => {}
                _ => break,
            }
        }
        digits
    }

    /// Sends silence instead of what is played, until [`Call::unmute`]; the source runs on.
    ///
    /// # Errors
    /// The call is over.
    pub fn mute(&self) -> Result<(), Error> {
        self.with(|call| call.media.session.mute(true))
    }

    /// Sends what is played again.
    ///
    /// # Errors
    /// The call is over.
    pub fn unmute(&self) -> Result<(), Error> {
        self.with(|call| call.media.session.mute(false))
    }

    /// Figures of the audio stream: packets, loss, jitter.
    ///
    /// # Errors
    /// [`Error::Busy`] or [`Error::Closed`].
    pub fn report(&self) -> Result<Report, Error> {
        self.with(|call| call.media.session.statistics())
    }
}

impl<'d> Call<'d> {
    #[inline(never)] // many ask for it
    fn entry<'s>(&self, state: &'s mut State<'d>) -> Option<&'s mut CallEntry<'d>> {
        state.calls.get_mut(self.place).filter(|call| call.id == Some(self.id))
    }

    fn with<T>(&self, look: impl FnOnce(&mut CallEntry<'d>) -> T) -> Result<T, Error> {
        let mut state = self.phone.0.step()?;
        self.entry(&mut state).map(look).ok_or(Error::Closed)
    }

    /// Waits until `ready` gives something, or the call is over.
    async fn wait<T>(
        &self,
        mut ready: impl FnMut(&mut CallEntry<'d>) -> Option<Result<T, Error>>,
    ) -> Result<T, Error> {
        self.phone
            .0
            .wait(|state| {
                let closed = state.closed;
                let Some(call) = self.entry(state) else { return Some(Err(Error::Closed)) };
                if let Phase::Ended(reason) = call.phase {
                    return Some(Err(Error::Failed(reason)));
                }
                if closed { Some(Err(Error::Closed)) } else { ready(call) }
            })
            .await
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if let Ok(mut state) = self.phone.0.step() {
            let _ = state.hang_up(self.id);
            if let Some(call) = self.entry(&mut state) {
                call.is_held = false;
                call.release();
            }
        }
    }
}

/// The first samples of a source.
struct Length<S> {
    source: S,
    left: usize,
}

impl<S: Source> Source for Length<S> {
    fn read(&mut self, frame: &mut [i16]) -> usize {
        let room = frame.len().min(self.left);
        let count = self.source.read(frame.get_mut(..room).unwrap_or_default());
        self.left -= count.min(self.left);
        count
    }
}

/// Samples that are moved at a time: 20 ms.
const CHUNK: usize = 160;
/// Well heard, and two of them do not clip.
const TONE_AMPLITUDE: i16 = 8192;
