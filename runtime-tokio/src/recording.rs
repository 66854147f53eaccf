use core::fmt;
use core::time::Duration;
use std::path::PathBuf;

use sansip::media::Sink;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::media::{Control, MediaControl};
use crate::sound::RATE_HZ;
use crate::wav::{WavError, Writer};

/// A recording that runs. Dropping it lets it run on until the call ends.
pub struct Recording {
    writer: JoinHandle<Result<u64, WavError>>,
    task: Option<(MediaControl, u64)>,
}

/// The audio task's end: hands samples to the thread that writes the file.
pub(crate) struct RecordingSink(mpsc::Sender<Vec<i16>>);

impl Recording {
    pub(crate) async fn create(path: PathBuf) -> Result<(Self, RecordingSink), Error> {
        let created = tokio::task::spawn_blocking(move || Writer::create(path, RATE_HZ));
        let mut file = created.await.map_err(|_| Error::Closed)??;
        let (sender, mut samples) = mpsc::channel::<Vec<i16>>(FRAMES_MAX);
        let writer = tokio::task::spawn_blocking(move || {
            let mut count = 0;
            while let Some(frame) = samples.blocking_recv() {
                file.write(&frame)?;
                count += frame.len() as u64;
            }
            file.finish()?;
            Ok(count)
        });
        Ok((Self { writer, task: None }, RecordingSink(sender)))
    }

    pub(crate) fn of(self, control: MediaControl, id: u64) -> Self {
        Self { task: Some((control, id)), ..self }
    }

    /// Stops, closes the file and says how long it became.
    ///
    /// # Errors
    /// The file could not be written.
    pub async fn stop(self) -> Result<Duration, Error> {
        if let Some((control, id)) = &self.task {
            control.send(Control::StopListening(*id));
        }
        self.finished().await
    }

    /// Waits until the call has ended and the file is closed.
    ///
    /// # Errors
    /// The file could not be written.
    pub async fn finished(mut self) -> Result<Duration, Error> {
        self.task = None; // or the task would wait for us
        let samples = self.writer.await.map_err(|_| Error::Closed)??;
        Ok(Duration::from_micros(samples.saturating_mul(1_000_000 / u64::from(RATE_HZ))))
    }
}

impl Sink for RecordingSink {
    fn write(&mut self, samples: &[i16]) {
        let _ = self.0.try_send(samples.to_vec()); // a disk that stalls for long loses frames
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").finish_non_exhaustive()
    }
}

/// Frames that a slow disk may lag behind: ten seconds.
const FRAMES_MAX: usize = 500;
