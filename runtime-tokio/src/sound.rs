//! Sources and sinks of audio: 16-bit mono at 8 kHz.
//!
//! The traits are the core's; they are called every 20 ms on a call's media task, so that they must
//! not block.

pub use sansip::media::{Silence, Sink, Source, Tone, tone_share};

/// A source out of an iterator.
#[derive(Clone, Debug)]
pub struct Samples<I>(pub I);

impl<I: Iterator<Item = i16>> Source for Samples<I> {
    fn read(&mut self, frame: &mut [i16]) -> usize {
        let mut count = 0;
        for (sample, next) in frame.iter_mut().zip(&mut self.0) {
            *sample = next;
            count += 1;
        }
        count
    }
}

/// A sink out of a closure.
#[derive(Clone, Copy, Debug)]
pub struct Each<F>(pub F);

impl<F: FnMut(&[i16])> Sink for Each<F> {
    fn write(&mut self, frame: &[i16]) {
        (self.0)(frame);
    }
}

/// The first samples of a source.
pub(crate) struct Length<S> {
    pub(crate) source: S,
    pub(crate) left: usize,
}

impl<S: Source> Source for Length<S> {
    fn read(&mut self, frame: &mut [i16]) -> usize {
        let room = frame.len().min(self.left);
        let count = self.source.read(frame.get_mut(..room).unwrap_or_default());
        self.left -= count.min(self.left);
        count
    }
}

/// The rate of all audio that passes here: the clock of the codecs that the core has.
pub const RATE_HZ: u32 = 8000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iterator_that_runs_out_ends_its_source() {
        let mut source = Samples(vec![1, 2, 3].into_iter());
        let mut frame = [0; 2];
        assert_eq!((source.read(&mut frame), frame), (2, [1, 2]));
        assert_eq!((source.read(&mut frame), frame), (1, [3, 2]));
        assert_eq!(source.read(&mut frame), 0);
    }

    #[test]
    fn a_length_ends_an_endless_source() {
        let mut source = Length { source: Tone::new(440, 1000), left: 5 };
        assert_eq!(source.read(&mut [0; 4]), 4);
        assert_eq!(source.read(&mut [0; 4]), 1);
        assert_eq!(source.read(&mut [0; 4]), 0);
    }
}
