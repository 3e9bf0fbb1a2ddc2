//! What waits to be sent, within bounds of age and bytes. Pure: time is passed in.
//!
//! It lies in memory on purpose. A power cut loses the figures of an outage that was going on, and
//! nothing else: every fact is in the custody log, and totals go on from it. On disk it would cost
//! a write to the card every interval, for ever.

use bytes::Bytes;
use std::{collections::VecDeque, time::Duration};

/// One request, packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Since the daemon started.
    pub taken: Duration,
    pub samples: u64,
    pub body: Bytes,
}

/// Oldest first; when a bound is reached the oldest goes.
#[derive(Debug)]
pub struct Buffer {
    age_max: Duration,
    bytes_max: u64,
    batches: VecDeque<(u64, Batch)>,
    bytes: u64,
    samples: u64,
    next: u64,
}

impl Buffer {
    /// `bytes_max` holds for the packed requests.
    pub fn new(age_max: Duration, bytes_max: u64) -> Self {
        let batches = VecDeque::new();
        Self { age_max, bytes_max, batches, bytes: 0, samples: 0, next: 0 }
    }

    /// Takes one in; how many samples had to go for it.
    pub fn push(&mut self, batch: Batch) -> u64 {
        let now = batch.taken;
        self.bytes += batch.body.len() as u64;
        self.samples += batch.samples;
        self.batches.push_back((self.next, batch));
        self.next += 1;
        let before = self.samples;
        while let Some((_, oldest)) = self.batches.front()
            && (self.bytes > self.bytes_max || now.saturating_sub(oldest.taken) > self.age_max)
        {
            self.pop();
        }
        before - self.samples
    }

    fn pop(&mut self) {
        if let Some((_, batch)) = self.batches.pop_front() {
            self.bytes -= batch.body.len() as u64;
            self.samples -= batch.samples;
        }
    }

    /// The oldest, with a number to say that it is done.
    pub fn oldest(&self) -> Option<(u64, Batch)> {
        self.batches.front().cloned()
    }

    /// It need not be kept any more; whether it still was.
    pub fn done(&mut self, number: u64) -> bool {
        let kept = self.batches.front().is_some_and(|(first, _)| *first == number);
        if kept {
            self.pop();
        }
        kept
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn samples(&self) -> u64 {
        self.samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batch(second: u64, bytes: usize) -> Batch {
        let taken = Duration::from_secs(second);
        Batch { taken, samples: 10, body: Bytes::from(vec![0; bytes]) }
    }

    #[test]
    fn the_oldest_goes_out_first_and_is_what_is_lost() {
        let mut buffer = Buffer::new(Duration::from_secs(100), 350);
        assert_eq!(buffer.push(batch(0, 100)), 0);
        assert_eq!(buffer.push(batch(30, 100)), 0);
        assert_eq!(buffer.push(batch(60, 100)), 0);
        assert_eq!(buffer.push(batch(90, 100)), 10, "too many bytes");
        let (number, oldest) = buffer.oldest().unwrap();
        assert_eq!(oldest.taken, Duration::from_secs(30));
        assert_eq!(buffer.push(batch(131, 10)), 10, "too old");
        assert!(!buffer.done(number), "it went while it was being sent");
        let (number, oldest) = buffer.oldest().unwrap();
        assert_eq!(oldest.taken, Duration::from_secs(60));
        assert!(buffer.done(number) && !buffer.done(number));
        assert_eq!((buffer.samples(), buffer.bytes()), (20, 110));
    }

    proptest! {
        #[test]
        fn bounds_hold_and_sums_are_right(steps in prop::collection::vec((0u64..50, 0usize..400), 1..60)) {
            let mut buffer = Buffer::new(Duration::from_secs(100), 1000);
            let (mut second, mut lost) = (0, 0);
            for (n, (pause, bytes)) in steps.iter().enumerate() {
                second += pause;
                lost += buffer.push(batch(second, *bytes));
                prop_assert!(buffer.bytes() <= 1000);
                prop_assert_eq!(buffer.samples() + lost, 10 * (n as u64 + 1));
                let oldest = buffer.oldest().unwrap().1;
                prop_assert!(Duration::from_secs(second) - oldest.taken <= Duration::from_secs(100));
                let bytes: usize = buffer.batches.iter().map(|(_, b)| b.body.len()).sum();
                prop_assert_eq!(buffer.bytes(), bytes as u64);
            }
        }
    }
}
