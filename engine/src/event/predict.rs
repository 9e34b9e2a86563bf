//! Finding the shape of a text: the shapes seen last are tried first, and only then is the text walked.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashTable;
use xxhash_rust::xxh3::Xxh3;

use super::error::{JsonError, JsonErrorKind};
use super::json::walk::{Found, Token};
use super::limits::EventLimits;
use super::shape::Shape;

/// How many of the shapes seen last are tried before a full walk. Streams interleave a handful of kinds of events;
/// more candidates cost more failed comparisons than they save walks.
const RECENT_SHAPES: usize = 8;

/// Bytes a shape takes besides its own: its place in the list and in the table, and the counts of its `Arc`.
const SHAPE_ENTRY_BYTES: usize = size_of::<Arc<Shape>>() + size_of::<(u64, u32)>() + 2 * size_of::<usize>();

/// The shapes of a batch under construction, and the memory of those seen last, which outlives the batch.
#[derive(Debug, Default)]
pub(super) struct Predictor {
    /// The shapes of this batch by their number.
    shapes: Vec<Arc<Shape>>,
    /// Numbers of this batch's shapes by the hash of their pieces.
    numbers: HashTable<(u64, u32)>,
    /// The last shapes, latest first.
    recent: VecDeque<Recent>,
    found: Found,
    /// Bytes that the shapes of this batch take.
    shape_bytes: usize,
}

/// A shape that was seen lately.
#[derive(Debug)]
struct Recent {
    shape: Arc<Shape>,
    /// Of its pieces.
    hash: u64,
    /// Its number in this batch, once it has one.
    number: Option<u32>,
}

impl Predictor {
    /// The number of the shape of `text`; its tokens are then in [`Predictor::tokens`].
    ///
    /// # Errors
    /// When `text` is not a JSON object or over a limit, or the batch has no room for its shape; what was found until
    /// there is in [`Predictor::found`].
    pub(super) fn shape_of(&mut self, text: &str, limits: &EventLimits) -> Result<u32, JsonError> {
        let tokens = &mut self.found.tokens;
        let hit = self.recent.iter().position(|recent| recent.shape.fit(text.as_bytes(), tokens));
        if let Some(hit) = hit {
            return self.touch(hit, limits);
        }
        self.found.walk(text, limits)?;
        let hash = hash_of(text.as_bytes(), &self.found.tokens);
        let same = |entry: &(u64, u32)| {
            let shape = self.shapes.get(entry.1 as usize);
            entry.0 == hash && shape.is_some_and(|shape| shape.is_of(text.as_bytes(), &self.found.tokens))
        };
        let (shape, number) = match self.numbers.find(hash, same) {
            Some((_, number)) => (self.shapes.get(*number as usize).cloned().unwrap_or_default(), *number),
            None => {
                self.find_room(Shape::memory_of(text, &self.found), limits)?;
                let shape = Arc::new(Shape::from_found(text, &self.found));
                (Arc::clone(&shape), self.add(shape, hash))
            }
        };
        self.recent.truncate(RECENT_SHAPES - 1);
        self.recent.push_front(Recent { shape, hash, number: Some(number) });
        Ok(number)
    }

    /// Moves the recent shape `hit` to the front and gives its number in this batch, if there is room for it.
    fn touch(&mut self, hit: usize, limits: &EventLimits) -> Result<u32, JsonError> {
        if hit > 0
            && let Some(entry) = self.recent.remove(hit)
        {
            self.recent.push_front(entry);
        }
        let Some(Recent { shape, hash, number }) = self.recent.front() else { return Ok(0) };
        if let Some(number) = number {
            return Ok(*number);
        }
        let (shape, hash) = (Arc::clone(shape), *hash);
        self.find_room(shape.memory_bytes(), limits)?;
        let number = self.add(shape, hash);
        if let Some(front) = self.recent.front_mut() {
            front.number = Some(number);
        }
        Ok(number)
    }

    /// Whether the batch has room for a shape of so many bytes.
    fn find_room(&self, bytes: usize, limits: &EventLimits) -> Result<(), JsonError> {
        if self.shape_bytes.saturating_add(bytes + SHAPE_ENTRY_BYTES) > limits.max_batch_shape_bytes {
            return Err(JsonError { kind: JsonErrorKind::TooManyShapes, at: 0 });
        }
        Ok(())
    }

    fn add(&mut self, shape: Arc<Shape>, hash: u64) -> u32 {
        let number = self.shapes.len() as u32;
        self.shape_bytes += shape.memory_bytes() + SHAPE_ENTRY_BYTES;
        self.shapes.push(shape);
        self.numbers.insert_unique(hash, (hash, number), |entry| entry.0);
        number
    }

    /// Bytes of memory that the shapes of this batch take.
    pub(super) fn shape_bytes(&self) -> usize {
        self.shape_bytes
    }

    /// Bytes of memory that it takes between two batches.
    pub(super) fn kept_bytes(&self) -> usize {
        let recent: usize = self.recent.iter().map(|recent| recent.shape.memory_bytes()).sum();
        recent + self.found.memory_bytes() + self.numbers.capacity() * size_of::<(u64, u32)>()
    }

    /// Walks over `text` for what it holds, without giving it a shape.
    ///
    /// # Errors
    /// As [`Predictor::shape_of`].
    pub(super) fn walk(&mut self, text: &str, limits: &EventLimits) -> Result<(), JsonError> {
        self.found.walk(text, limits)
    }

    /// The tokens of the last text.
    pub(super) fn tokens(&self) -> &[Token] {
        &self.found.tokens
    }

    /// What the last walk found.
    pub(super) fn found(&self) -> &Found {
        &self.found
    }

    /// The shape with this number.
    pub(super) fn shape(&self, number: u32) -> Option<&Arc<Shape>> {
        self.shapes.get(number as usize)
    }

    /// Ends the batch: its shapes by number. The latest are remembered for the next one.
    pub(super) fn finish(&mut self) -> Vec<Arc<Shape>> {
        self.numbers.clear();
        self.shape_bytes = 0;
        for recent in &mut self.recent {
            recent.number = None;
        }
        std::mem::take(&mut self.shapes)
    }
}

/// The hash of the pieces between `tokens`, with their lengths, so that holes at other places hash otherwise.
fn hash_of(text: &[u8], tokens: &[Token]) -> u64 {
    let mut hash = Xxh3::new();
    let mut at = 0;
    for token in tokens {
        hash_piece(&mut hash, text.get(at..token.start as usize).unwrap_or_default());
        at = (token.start + token.len) as usize;
    }
    hash_piece(&mut hash, text.get(at..).unwrap_or_default());
    hash.digest()
}

fn hash_piece(hash: &mut Xxh3, piece: &[u8]) {
    hash.update(piece);
    hash.update(&(piece.len() as u32).to_le_bytes());
}
