//! Where channels leave word for a reader.

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use super::MAX_STREAM_METRICS;

const WORD_BITS: usize = u64::BITS as usize;

/// Places in a reader's list of channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    words: [u64; MAX_STREAM_METRICS / WORD_BITS],
}

/// What is new for a reader: which of its channels, and whether the time for a sign of life has come.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    marks: Mutex<Marks>,
    waker: AtomicWaker,
}

#[derive(Debug, Default)]
struct Marks {
    places: Places,
    beat: bool,
}

impl Places {
    /// The first `count` places.
    pub(super) fn first(count: usize) -> Places {
        let mut places = Places::default();
        (0..count).for_each(|place| places.insert(place));
        places
    }

    /// Adds a place, if there is such a place.
    pub(super) fn insert(&mut self, place: usize) {
        if let Some(word) = self.words.get_mut(place / WORD_BITS) {
            *word |= 1 << (place % WORD_BITS);
        }
    }

    pub(super) fn remove(&mut self, place: usize) {
        if let Some(word) = self.words.get_mut(place / WORD_BITS) {
            *word &= !(1 << (place % WORD_BITS));
        }
    }

    pub(super) fn add(&mut self, others: Places) {
        self.words.iter_mut().zip(others.words).for_each(|(word, other)| *word |= other);
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Places::default()
    }

    /// In ascending order.
    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        self.words.into_iter().enumerate().flat_map(|(at, word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left &= left.wrapping_sub(1);
                (bit < WORD_BITS).then_some(at * WORD_BITS + bit)
            })
        })
    }
}

impl Mailbox {
    /// Something is new in the channel at `place`. A reader that has not looked since the last word is not woken again.
    pub(super) fn mark(&self, place: usize) {
        let mut marks = self.marks.lock();
        let is_first = marks.places.is_empty();
        marks.places.insert(place);
        drop(marks);
        if is_first {
            self.waker.wake();
        }
    }

    /// It is time for a sign of life.
    pub(super) fn beat(&self) {
        let was = std::mem::replace(&mut self.marks.lock().beat, true);
        if !was {
            self.waker.wake();
        }
    }

    /// What was marked since the last call.
    pub(super) fn take_places(&self) -> Places {
        std::mem::take(&mut self.marks.lock().places)
    }

    /// It was time for a sign of life since the last call.
    pub(super) fn take_beat(&self) -> bool {
        std::mem::take(&mut self.marks.lock().beat)
    }

    /// Wakes `waker` at the next word.
    pub(super) fn register(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_a_set() {
        let mut places = Places::first(3);
        for place in [200, 63, 64, MAX_STREAM_METRICS - 1, MAX_STREAM_METRICS, 64] {
            places.insert(place);
        }
        places.remove(1);
        places.add(Places::first(1));
        assert_eq!(places.iter().collect::<Vec<_>>(), [0, 2, 63, 64, 200, MAX_STREAM_METRICS - 1]);
        assert!(!places.is_empty() && Places::first(0).is_empty());
        assert_eq!(Places::first(MAX_STREAM_METRICS).iter().count(), MAX_STREAM_METRICS);
    }
}
