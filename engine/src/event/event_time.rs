//! Where an event says when it happened.
//!
//! A shape is asked once where its time is; after that, finding it costs an event one load.

use super::batch::{NO_SHAPE, Row};
use super::builder::EventBatchBuilder;
use super::json::unescape_into;
use super::json::walk::Found;
use super::shape::Shape;
use super::timestamp;

/// Fields that may hold the time of an event, the first present counts.
pub const TIMESTAMP_FIELDS: [&str; 7] =
    ["@timestamp", "timestamp", "ts", "time", "_time", "date", "datetime"];

impl EventBatchBuilder {
    /// The time an event carries: in its attributes, in its fields, or in its text.
    pub(super) fn find_timestamp(&mut self, row: &Row) -> Option<i64> {
        self.learn_timestamp_holes();
        let before = self.predictor.shape(row.raw_shape).map_or(0, |shape| shape.holes()) as u32;
        let parts = [(row.attributes_shape, row.first_value + before), (row.raw_shape, row.first_value)];
        for (shape, first_value) in parts {
            let holes = self.timestamp_holes.get(shape as usize).map_or(&[] as &[u32], |holes| holes);
            for hole in holes {
                let value = self.data.values.get((first_value + hole) as usize);
                let text = value.and_then(|value| value.of(self.arena())).unwrap_or_default();
                if let Some(nanos) = timestamp::parse(text, self.reference_nanos) {
                    return Some(nanos);
                }
            }
        }
        if row.raw_shape != NO_SHAPE || self.timestamp_field.is_some() {
            return None;
        }
        timestamp::detect(row.raw.of(self.arena())?, self.reference_nanos)
    }

    /// The time in the fields of `text`, which gets no shape.
    pub(super) fn timestamp_in(&self, text: &str) -> Option<i64> {
        let mut found = Found::default();
        found.walk(text, &self.limits).ok()?;
        let time = |name: &str| {
            let place = (0..found.tokens.len()).rev().find(|place| found.path(*place) == name)?;
            let mut value = String::new();
            unescape_into(found.tokens.get(place)?.of(text), &mut value).ok()?;
            timestamp::parse(&value, self.reference_nanos)
        };
        match &self.timestamp_field {
            Some(field) => time(field),
            None => TIMESTAMP_FIELDS.iter().find_map(|name| time(name)),
        }
    }

    /// Looks once a shape where its time is.
    fn learn_timestamp_holes(&mut self) {
        while let Some(shape) = self.predictor.shape(self.timestamp_holes.len() as u32) {
            let holes = match &self.timestamp_field {
                Some(field) => shape.position(field).map(|hole| hole as u32).into_iter().collect(),
                None => usual_holes(shape),
            };
            self.timestamp_holes.push(holes);
        }
    }
}

/// The holes of the fields that usually have the time, in order of preference.
fn usual_holes(shape: &Shape) -> Box<[u32]> {
    let mut holes = [None; TIMESTAMP_FIELDS.len()];
    for hole in 0..shape.holes() {
        let path = shape.path(hole);
        let rank = TIMESTAMP_FIELDS.iter().position(|name| *name == path);
        // Of several holes of a path the last has its value.
        if let Some(place) = rank.and_then(|rank| holes.get_mut(rank)) {
            *place = Some(hole as u32);
        }
    }
    holes.into_iter().flatten().collect()
}
