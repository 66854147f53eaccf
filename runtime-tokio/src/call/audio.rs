//! What a call plays, hears and dials.

use core::sync::atomic::Ordering;
use core::time::Duration;
use std::collections::VecDeque;
use std::path::Path;

use sansip::limits::DIGIT_DURATION_MS;
use sansip::media::{DigitsError, Report, Sink, Source, Tone};
use sansip::rtp::Digit;
use tokio::sync::{mpsc, oneshot};

use super::Call;
use crate::error::Error;
use crate::media::{Control, DigitsJob};
use crate::recording::Recording;
use crate::sound::{Each, Length, RATE_HZ, Samples};
use crate::state::Phase;
use crate::trace::Trace;
use crate::wav;

/// Audio and digits.
impl Call {
    /// Plays a WAV file of any common form and waits until it was sent. It replaces what is
    /// played.
    ///
    /// The file is read as a whole before the first sample is sent.
    ///
    /// # Errors
    /// The file cannot be read, or the call ended.
    pub async fn play(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref().to_owned();
        let read = tokio::task::spawn_blocking(move || wav::read(path, RATE_HZ));
        let samples = read.await.map_err(|_| Error::Closed)??;
        self.play_source(Samples(samples.into_iter())).await
    }

    /// Plays a sine of 300 to 3400 Hz at a quarter of full scale and waits until it was sent.
    ///
    /// # Errors
    /// The call ended.
    pub async fn play_tone(&self, hz: u32, length: Duration) -> Result<(), Error> {
        let source = Tone::new(hz, TONE_AMPLITUDE);
        self.play_source(Length { source, left: samples_in(length) }).await
    }

    /// Plays a source of your own and waits until it ends or is replaced. Dropping the future
    /// leaves it playing.
    ///
    /// # Errors
    /// The call ended.
    pub async fn play_source(&self, source: impl Source + Send + 'static) -> Result<(), Error> {
        let played = self.start_source(source)?;
        match played.await {
            Ok(()) => Ok(()),
            Err(_) => match self.phase() {
                Phase::Ended(reason) => Err(Error::Failed(reason)),
                _ => Ok(()),
            },
        }
    }

    /// Starts a source and returns at once; it replaces what is played.
    ///
    /// # Errors
    /// There is no audio stream yet.
    pub fn start_playing(&self, source: impl Source + Send + 'static) -> Result<(), Error> {
        self.start_source(source).map(drop)
    }

    fn start_source(
        &self,
        source: impl Source + Send + 'static,
    ) -> Result<oneshot::Receiver<()>, Error> {
        let (done, played) = oneshot::channel();
        self.control(Control::Play { source: Box::new(source), done })?;
        Ok(played)
    }

    /// Stops what is played; silence is sent from then on.
    ///
    /// # Errors
    /// There is no audio stream yet.
    pub fn stop_playing(&self) -> Result<(), Error> {
        self.control(Control::StopPlaying)
    }

    /// Records what is heard to a WAV file, until the call ends or [`Recording::stop`].
    ///
    /// # Errors
    /// The file cannot be created, or there is no audio stream yet.
    pub async fn record(&self, path: impl AsRef<Path>) -> Result<Recording, Error> {
        let (recording, sink) = Recording::create(path.as_ref().to_owned()).await?;
        let id = self.listen(sink)?;
        Ok(recording.of(self.running()?, id))
    }

    /// Gives what is heard to a sink of your own until the call ends or
    /// [`Call::stop_listening`] with the number that is returned.
    ///
    /// # Errors
    /// There is no audio stream yet.
    pub fn listen(&self, sink: impl Sink + Send + 'static) -> Result<u64, Error> {
        let id = self.listeners.fetch_add(1, Ordering::Relaxed);
        self.control(Control::Listen { id, sink: Box::new(sink) })?;
        Ok(id)
    }

    /// Takes a sink of [`Call::listen`] away.
    ///
    /// # Errors
    /// There is no audio stream yet.
    pub fn stop_listening(&self, id: u64) -> Result<(), Error> {
        self.control(Control::StopListening(id))
    }

    /// What is heard from now on for `length`; less where the call ends before.
    ///
    /// # Errors
    /// There is no audio stream yet.
    pub async fn hear(&self, length: Duration) -> Result<Vec<i16>, Error> {
        let wanted = samples_in(length);
        let (sender, mut heard) = mpsc::unbounded_channel();
        let sink = Each(move |frame: &[i16]| drop(sender.send(frame.to_vec())));
        let id = self.listen(sink)?;
        let mut all = Vec::new();
        while all.len() < wanted {
            let Some(mut samples) = heard.recv().await else { return Ok(all) };
            all.append(&mut samples);
        }
        self.stop_listening(id)?;
        all.truncate(wanted);
        Ok(all)
    }

    /// Sends digits (`0` to `9`, `*`, `#`, `A` to `D`) as telephone events (RFC 4733), each 160 ms
    /// long, and waits until the last one is out.
    ///
    /// # Errors
    /// A character is no digit, the peer takes no telephone events, or the call ended.
    pub async fn send_digits(&self, digits: &str) -> Result<(), Error> {
        let length = Duration::from_millis(DIGIT_DURATION_MS);
        self.send_long_digits(digits, length).await
    }

    /// As [`Call::send_digits`], each digit of the given length.
    ///
    /// # Errors
    /// As [`Call::send_digits`].
    pub async fn send_long_digits(&self, digits: &str, length: Duration) -> Result<(), Error> {
        let digits: VecDeque<char> = digits.chars().collect();
        if digits.iter().any(|digit| Digit::from_char(*digit).is_none()) {
            return Err(Error::Digits(DigitsError::NotADigit));
        }
        let (done, sent) = oneshot::channel();
        self.control(Control::Digits(DigitsJob { digits, duration: length, done }))?;
        match sent.await {
            Ok(result) => Ok(result?),
            Err(_) => match self.phase() {
                Phase::Ended(reason) => Err(Error::Failed(reason)),
                _ => Err(Error::Closed),
            },
        }
    }

    /// The next digit that the peer sent, `None` when the call is over or its audio is carried
    /// elsewhere. Sixty-four wait to be taken; later ones are lost.
    pub async fn digit(&self) -> Option<Digit> {
        self.digits.as_ref()?.lock().await.recv().await
    }

    /// So many digits, or those that came until the peer paused for `pause` or the call ended.
    pub async fn digits(&self, count: usize, pause: Duration) -> String {
        let mut digits = String::new();
        while digits.len() < count {
            match tokio::time::timeout(pause, self.digit()).await {
                Ok(Some(digit)) => digits.push(digit.as_char()),
                Ok(None) | Err(_) => break,
            }
        }
        digits
    }

    /// Sends silence instead of what is played, until [`Call::unmute`]; the source runs on.
    ///
    /// # Errors
    /// There is no audio stream yet.
    pub fn mute(&self) -> Result<(), Error> {
        self.control(Control::Mute(true))
    }

    /// Sends what is played again.
    ///
    /// # Errors
    /// There is no audio stream yet.
    pub fn unmute(&self) -> Result<(), Error> {
        self.control(Control::Mute(false))
    }

    /// Figures of the audio stream: packets, loss, jitter; those at its end once the call is over.
    ///
    /// # Errors
    /// There is no audio stream.
    pub async fn report(&self) -> Result<Report, Error> {
        self.running()?.report().await.ok_or(Error::Closed)
    }

    /// Shows every RTP and RTCP packet of the call from now on to a sink, such as
    /// [`Pcap`](crate::trace::Pcap).
    ///
    /// # Errors
    /// There is no audio stream yet.
    pub fn trace(&self, sink: impl Trace + 'static) -> Result<(), Error> {
        self.control(Control::Trace(Box::new(sink)))
    }
}

fn samples_in(length: Duration) -> usize {
    let samples = length.as_millis().saturating_mul(u128::from(RATE_HZ) / 1000);
    usize::try_from(samples).unwrap_or(usize::MAX)
}

/// Well heard, and two of them do not clip.
const TONE_AMPLITUDE: i16 = 8192;
