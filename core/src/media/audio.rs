//! Where captured audio comes from and played audio goes to: 16-bit mono at the codec's rate.

/// Gives audio, frame by frame: a microphone, a file, a tone.
pub trait Source {
    /// Fills the start of `frame` and returns how many samples it wrote; fewer than there is room
    /// for means that the source has ended (or, for a live one, has no more yet).
    fn read(&mut self, frame: &mut [i16]) -> usize;
}

/// Takes audio, frame by frame: a loudspeaker, a file.
pub trait Sink {
    /// Takes the samples of one frame.
    fn write(&mut self, frame: &[i16]);
}

/// Endless silence as a source, and a sink that forgets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Silence;

impl Source for Silence {
    fn read(&mut self, frame: &mut [i16]) -> usize {
        frame.fill(0);
        frame.len()
    }
}

impl Sink for Silence {
    fn write(&mut self, _: &[i16]) {}
}

/// A sink that records into a slice until that is full.
#[derive(Debug)]
pub struct Recorder<'b> {
    samples: &'b mut [i16],
    length: usize,
}

impl<'b> Recorder<'b> {
    /// Records into `samples`, from its start.
    pub fn new(samples: &'b mut [i16]) -> Self {
        Self { samples, length: 0 }
    }

    /// What was recorded.
    pub fn recorded(&self) -> &[i16] {
        self.samples.get(..self.length).unwrap_or_default()
    }

    /// Gives the memory back, as far as it was recorded into.
    pub fn into_recorded(self) -> &'b mut [i16] {
        self.samples.get_mut(..self.length).unwrap_or_default()
    }

    /// Whether no more samples have room; further ones are dropped.
    pub fn is_full(&self) -> bool {
        self.length == self.samples.len()
    }
}

impl Sink for Recorder<'_> {
    fn write(&mut self, frame: &[i16]) {
        let room = self.samples.get_mut(self.length..).unwrap_or_default();
        for (place, sample) in room.iter_mut().zip(frame) {
            *place = *sample;
        }
        self.length = (self.length + frame.len()).min(self.samples.len());
    }
}

/// A slice gives its samples once.
impl Source for &[i16] {
    fn read(&mut self, frame: &mut [i16]) -> usize {
        let count = self.len().min(frame.len());
        let (now, later) = self.split_at_checked(count).unwrap_or((self, &[]));
        for (place, sample) in frame.iter_mut().zip(now) {
            *place = *sample;
        }
        *self = later;
        count
    }
}

impl<S: Source + ?Sized> Source for &mut S {
    fn read(&mut self, frame: &mut [i16]) -> usize {
        (**self).read(frame)
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    fn write(&mut self, frame: &[i16]) {
        (**self).write(frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_ends_with_a_short_frame() {
        let mut source: &[i16] = &[1, 2, 3];
        let mut frame = [9; 2];
        assert_eq!((source.read(&mut frame), frame), (2, [1, 2]));
        assert_eq!((source.read(&mut frame), frame), (1, [3, 2]));
        assert_eq!(source.read(&mut frame), 0);
    }

    #[test]
    fn a_full_recorder_keeps_what_it_has() {
        let mut memory = [0; 5];
        let mut recorder = Recorder::new(&mut memory);
        recorder.write(&[1, 2, 3]);
        assert_eq!((recorder.recorded(), recorder.is_full()), (&[1, 2, 3][..], false));
        recorder.write(&[4, 5, 6]);
        recorder.write(&[7]);
        assert_eq!((recorder.recorded(), recorder.is_full()), (&[1, 2, 3, 4, 5][..], true));
    }

    #[test]
    fn silence_never_ends() {
        let mut frame = [7; 160];
        assert_eq!(Silence.read(&mut frame), 160);
        assert_eq!(frame, [0; 160]);
    }
}
