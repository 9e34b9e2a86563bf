//! One text of every row (the raw text, or the attributes) as skeletons and columns: gathered, written, read.
//!
//! ```text
//! part := columns: count, each {path, flags}; skeletons: a kind each (after the node); node
//! ```

use std::sync::Arc;

use hashbrown::HashMap;

use super::encode::{self, Kept};
use super::node::{COLUMNS_MAX, Kind, Node, Skeleton, Skeletons, holders};
use super::section::{Body, Directory};
use super::values::Values;
use super::wire::{Corrupt, put_bytes, put_varint};
use crate::event::Shape;

/// About what a column takes of the directory beside its path, and a hole of a skeleton.
const PLACE_BYTES: usize = 8;
const HOLE_BYTES: usize = 3;

/// What kind of text a skeleton makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextKind {
    /// There is no text.
    None,
    /// Text without fields.
    Text,
    /// Bytes that are not UTF-8.
    Bytes,
    /// A JSON object; its holes are fields.
    Json,
}

/// A column of values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// The field; empty for whole texts.
    pub(crate) path: Arc<str>,
    /// Its values stood between quotes.
    pub(crate) quoted: bool,
    /// Which of several equal places of a text: 0 unless keys are repeated.
    pub(crate) repeat: u32,
}

/// A part that is being gathered, row by row.
pub(crate) struct PartInput {
    /// A skeleton a row.
    pub(crate) codes: Vec<u32>,
    /// The skeletons.
    pub(crate) skeletons: Vec<Skeleton>,
    /// What each makes.
    pub(crate) kinds: Vec<TextKind>,
    /// The columns.
    pub(crate) places: Vec<Place>,
    /// Which have a value with escapes.
    pub(crate) escaped: Vec<bool>,
    /// Their values, as written.
    pub(crate) columns: Vec<Values>,
    /// About what paths and skeletons take of the directory.
    pub(crate) directory_bytes: usize,
    known_places: HashMap<Place, u32, foldhash::fast::FixedState>,
    known_shapes: HashMap<Vec<u8>, u32, foldhash::fast::FixedState>,
    /// Those adopted from stored parts.
    known_skeletons: HashMap<Skeleton, u32, foldhash::fast::FixedState>,
}

impl PartInput {
    /// A part without rows; skeleton 0 is no text.
    pub(crate) fn new() -> PartInput {
        PartInput {
            codes: Vec::new(),
            skeletons: vec![Skeleton::default()],
            kinds: vec![TextKind::None],
            places: Vec::new(),
            escaped: Vec::new(),
            columns: Vec::new(),
            directory_bytes: 0,
            known_places: HashMap::default(),
            known_shapes: HashMap::default(),
            known_skeletons: HashMap::default(),
        }
    }

    /// No row has a text.
    pub(crate) fn is_empty(&self) -> bool {
        self.skeletons.len() == 1
    }

    /// The number of the skeleton that `shape` is.
    pub(crate) fn shape(&mut self, shape: &Shape) -> u32 {
        let mut key = Vec::new();
        shape.encode(&mut key);
        if let Some(code) = self.known_shapes.get(&key) {
            return *code;
        }
        let mut skeleton = Skeleton::default();
        let mut repeats: HashMap<(&str, bool), u32, foldhash::fast::FixedState> = HashMap::default();
        for (hole, piece) in shape.pieces().enumerate() {
            skeleton.literal.extend_from_slice(piece.as_bytes());
            if hole < shape.holes() {
                let (path, quoted) = (shape.path(hole), shape.is_quoted(hole));
                let repeat = repeats.entry((path, quoted)).and_modify(|repeat| *repeat += 1).or_insert(0);
                skeleton.ends.push(skeleton.literal.len() as u32);
                skeleton.columns.push(self.place(Place { path: path.into(), quoted, repeat: *repeat }));
            }
        }
        let code = self.add(skeleton, TextKind::Json);
        self.known_shapes.insert(key, code);
        code
    }

    /// The number of the skeleton that has nothing but holes for the fields `names`, in this order.
    pub(crate) fn named(&mut self, names: &[&str]) -> u32 {
        let mut key = Vec::new();
        names.iter().for_each(|name| put_bytes(&mut key, name.as_bytes()));
        if let Some(code) = self.known_shapes.get(&key) {
            return *code;
        }
        let columns =
            names.iter().map(|name| self.place(Place { path: (*name).into(), quoted: false, repeat: 0 }));
        let columns: Vec<u32> = columns.collect();
        let code =
            self.add(Skeleton { literal: Vec::new(), ends: vec![0; columns.len()], columns }, TextKind::Json);
        self.known_shapes.insert(key, code);
        code
    }

    /// The number here of skeleton `code` of a stored part.
    pub(crate) fn adopt(&mut self, part: &Part, code: usize) -> u32 {
        let Some(stored) = part.skeletons().ok().and_then(|skeletons| skeletons.skeletons.get(code)) else {
            return 0;
        };
        let mut skeleton = stored.clone();
        for column in &mut skeleton.columns {
            let place = part.places.get(*column as usize).cloned();
            let place = place.unwrap_or(Place { path: "".into(), quoted: false, repeat: 0 });
            *column = self.place(place);
        }
        if let Some(code) = self.known_skeletons.get(&skeleton) {
            return *code;
        }
        let code = self.add(skeleton.clone(), TextKind::Json);
        self.known_skeletons.insert(skeleton, code);
        code
    }

    fn place(&mut self, place: Place) -> u32 {
        if let Some(column) = self.known_places.get(&place) {
            return *column;
        }
        let column = self.places.len() as u32;
        self.directory_bytes += place.path.len() + PLACE_BYTES;
        self.known_places.insert(place.clone(), column);
        self.places.push(place);
        self.columns.push(Values::default());
        self.escaped.push(false);
        column
    }

    fn add(&mut self, skeleton: Skeleton, kind: TextKind) -> u32 {
        self.directory_bytes += skeleton.literal.len() + skeleton.ends.len() * HOLE_BYTES;
        self.skeletons.push(skeleton);
        self.kinds.push(kind);
        self.skeletons.len() as u32 - 1
    }

    /// Adds a row with a JSON text of skeleton `code`.
    pub(crate) fn push_json(&mut self, code: u32, tokens: &[&[u8]]) {
        self.codes.push(code);
        let columns = self.skeletons.get(code as usize).map_or(&[][..], |skeleton| &skeleton.columns);
        for (column, token) in columns.iter().zip(tokens) {
            if let Some(values) = self.columns.get_mut(*column as usize) {
                values.push(token);
            }
        }
    }

    /// Says that the values of skeleton `code` have escapes where `escaped` says so.
    pub(crate) fn mark_escaped(&mut self, code: u32, hole: usize) {
        let column = self.skeletons.get(code as usize).and_then(|skeleton| skeleton.columns.get(hole));
        if let Some(flag) = column.and_then(|column| self.escaped.get_mut(*column as usize)) {
            *flag = true;
        }
    }

    /// Adds a row whose text has no fields.
    pub(crate) fn push_whole(&mut self, text: &[u8], kind: TextKind) {
        let code = self.whole(kind);
        self.push_json(code, &[text]);
    }

    /// The number of the skeleton of texts without fields.
    pub(crate) fn whole(&mut self, kind: TextKind) -> u32 {
        let known = self.kinds.iter().position(|known| *known == kind && kind != TextKind::Json);
        match known {
            Some(code) => code as u32,
            None => {
                let repeat = u32::from(kind == TextKind::Bytes);
                let column = self.place(Place { path: "".into(), quoted: false, repeat: u32::MAX - repeat });
                self.add(Skeleton { literal: Vec::new(), ends: vec![0], columns: vec![column] }, kind)
            }
        }
    }

    /// Adds a row without a text.
    pub(crate) fn push_none(&mut self) {
        self.codes.push(0);
    }

    /// Writes the part; tells what became of each column. `times` are those of its rows, where these have any; `plain`
    /// forgoes every clever form.
    pub(crate) fn write(&self, body: &mut Body, times: Option<&[i64]>, plain: bool) -> Vec<Kept<'_>> {
        put_varint(&mut body.directory, self.places.len() as u64);
        for (place, escaped) in self.places.iter().zip(&self.escaped) {
            put_bytes(&mut body.directory, place.path.as_bytes());
            body.directory.push(u8::from(place.quoted) | u8::from(*escaped) << 1);
            put_varint(&mut body.directory, u64::from(place.repeat));
        }
        encode::head(body, 5, self.codes.len());
        put_varint(&mut body.directory, self.columns.len() as u64);
        let mut kept = Vec::with_capacity(self.columns.len());
        for (index, values) in self.columns.iter().enumerate() {
            let values = values.slices();
            if plain {
                encode::plain(body, &values);
                kept.push(Kept::Other);
                continue;
            }
            let own = times.filter(|times| values.len() != times.len());
            let own = own.map(|times| self.times_of(index as u32, times));
            kept.push(encode::column(body, &values, own.as_deref().or(times)));
        }
        encode::skeletons(body, &self.skeletons, &self.codes);
        body.directory.extend(self.kinds.iter().map(|kind| *kind as u8));
        kept
    }

    fn times_of(&self, column: u32, times: &[i64]) -> Vec<i64> {
        let has = holders(&self.skeletons, column);
        let rows = self.codes.iter().zip(times);
        rows.filter(|(code, _)| has.get(**code as usize) == Some(&true)).map(|(_, time)| *time).collect()
    }
}

/// A part of a block that is being read.
#[derive(Debug)]
pub(crate) struct Part {
    /// The columns.
    pub(crate) places: Vec<Place>,
    /// Which have a value with escapes.
    pub(crate) escaped: Vec<bool>,
    /// The rows.
    pub(crate) node: Node,
    /// What each skeleton makes.
    pub(crate) kinds: Vec<TextKind>,
}

impl Part {
    pub(crate) fn read(directory: &mut Directory<'_>, rows: usize) -> Result<Part, Corrupt> {
        let mut places = Vec::new();
        let mut escaped = Vec::new();
        for _ in 0..directory.reader.count(COLUMNS_MAX)? {
            let path: Arc<str> = directory.reader.text()?.into();
            let flags = directory.reader.byte()?;
            let repeat = u32::try_from(directory.reader.varint()?).map_err(|_| Corrupt("repeated place"))?;
            places.push(Place { path, quoted: flags & 1 != 0, repeat });
            escaped.push(flags & 2 != 0);
        }
        let node = Node::read(directory)?;
        let Kind::Skeletons(skeletons) = &node.kind else { return Err(Corrupt("part without skeletons")) };
        if node.count != rows || skeletons.columns.len() != places.len() {
            return Err(Corrupt("part of another size"));
        }
        let mut kinds = Vec::with_capacity(skeletons.skeletons.len());
        for _ in 0..skeletons.skeletons.len() {
            kinds.push(match directory.reader.byte()? {
                0 => TextKind::None,
                1 => TextKind::Text,
                2 => TextKind::Bytes,
                3 => TextKind::Json,
                _ => return Err(Corrupt("unknown kind of text")),
            });
        }
        Ok(Part { places, escaped, node, kinds })
    }

    /// The field at `place`; empty where there is none.
    pub(crate) fn name(&self, place: u32) -> &str {
        self.places.get(place as usize).map_or("", |place| &place.path)
    }

    /// The rows as skeletons.
    pub(crate) fn skeletons(&self) -> Result<&Skeletons, Corrupt> {
        match &self.node.kind {
            Kind::Skeletons(skeletons) => Ok(skeletons),
            _ => Err(Corrupt("part without skeletons")),
        }
    }

    /// For every skeleton the column of field `path` in it: the last of that path. `None` when none has it.
    pub(crate) fn columns_of(&self, path: &str) -> Option<Vec<Option<u32>>> {
        if path.is_empty() && !self.kinds.contains(&TextKind::Json) {
            return None;
        }
        let is: Vec<bool> = self.places.iter().map(|place| &*place.path == path).collect();
        if !is.contains(&true) {
            return None;
        }
        let skeletons = self.skeletons().ok()?;
        let last = |(skeleton, kind): (&Skeleton, &TextKind)| {
            let json = *kind == TextKind::Json;
            let mut columns = skeleton.columns.iter().rev();
            columns.find(|column| json && is.get(**column as usize) == Some(&true)).copied()
        };
        let columns: Vec<Option<u32>> = skeletons.skeletons.iter().zip(&self.kinds).map(last).collect();
        columns.iter().any(Option::is_some).then_some(columns)
    }
}
