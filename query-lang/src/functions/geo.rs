//! `geohash` and `geography:distance`: functions of places on earth, in decimal degrees.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder};
use crate::value::Number;

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "geohash",
        aliases: &[],
        parameters: &[
            Parameter::with_default("lat", Kind::Text, "ip.lat"),
            Parameter::with_default("lon", Kind::Text, "ip.lon"),
            Parameter::with_default("precision", Kind::Integer { least: 1, most: 12 }, "12"),
            Parameter::with_default("as", Kind::Text, "_geohash"),
        ],
        build: Build::Row(build_hash),
        doc: "The geohash of a place: letters that name smaller and smaller cells around it.",
    },
    Signature {
        name: "geography:distance",
        aliases: &[],
        parameters: &[
            Parameter::required("lat1", Kind::Text),
            Parameter::required("lon1", Kind::Text),
            Parameter::required("lat2", Kind::Text),
            Parameter::required("lon2", Kind::Text),
            Parameter::with_default("as", Kind::Text, "_distance"),
        ],
        build: Build::Row(build_distance),
        doc: "The metres between two places along the surface of the earth.",
    },
];

/// The radius of the sphere that distances are measured on, in metres.
const EARTH_RADIUS: f64 = 6_371_000.0;

/// A compiled function of this family.
#[derive(Debug)]
pub struct Geography {
    /// Latitude and longitude of each place.
    places: Vec<[Arc<str>; 2]>,
    /// Letters of a geohash; none: a distance.
    precision: Option<usize>,
    output: Arc<str>,
}

fn build_hash(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let places = vec![[arguments.text_or_empty("lat"), arguments.text_or_empty("lon")]];
    let precision = arguments.integer("precision").and_then(|letters| usize::try_from(letters).ok());
    Ok(RowFunction::Geography(Geography { places, precision, output: arguments.text_or_empty("as") }))
}

fn build_distance(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let places =
        [["lat1", "lon1"], ["lat2", "lon2"]].map(|place| place.map(|name| arguments.text_or_empty(name)));
    let output = arguments.text_or_empty("as");
    Ok(RowFunction::Geography(Geography { places: places.to_vec(), precision: None, output }))
}

impl Geography {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, _scratch: &mut Scratch) -> Result<(), StepError> {
        let mut columns: Vec<[Column; 2]> = Vec::with_capacity(self.places.len());
        for [lat, lon] in &self.places {
            columns.push([view.column(lat)?, view.column(lon)?]);
        }
        let mut out = ColumnBuilder::with_capacity(view.rows());
        for row in view.selection().iter() {
            let degrees = |column: &Column, most: f64| {
                let degrees = column.get(row)?.float()?;
                (degrees.abs() <= most).then_some(degrees)
            };
            let place = |[lat, lon]: &[Column; 2]| Some([degrees(lat, 90.0)?, degrees(lon, 180.0)?]);
            let places: Option<Vec<[f64; 2]>> = columns.iter().map(place).collect();
            match (places.as_deref(), self.precision) {
                (Some([place]), Some(letters)) => {
                    out.pad(row);
                    out.text(&geohash(*place, letters));
                }
                (Some([from, to]), _) => {
                    if let Some(metres) = Number::from_f64(distance(*from, *to)) {
                        out.pad(row);
                        out.push(Some(metres.to_value().borrow()));
                    }
                }
                _ => {}
            }
        }
        out.pad(view.rows());
        Ok(view.assign(&self.output, out.finish())?)
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        self.places.iter().flatten().for_each(|field| touches.read(field));
        touches.read(&self.output);
        touches.write(&self.output);
    }

    /// The field written.
    #[must_use]
    pub fn output(&self) -> Arc<str> {
        Arc::clone(&self.output)
    }
}

/// The geohash (G. Niemeyer's public scheme) of latitude and longitude: bits of both in turn, five a letter.
#[must_use]
pub fn geohash([lat, lon]: [f64; 2], letters: usize) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let mut ranges = [(-180.0, 180.0, lon), (-90.0, 90.0, lat)];
    let mut out = String::with_capacity(letters);
    let mut turn = 0;
    for _ in 0..letters {
        let mut code = 0_usize;
        for _ in 0..5 {
            code <<= 1;
            if let Some((least, most, value)) = ranges.get_mut(turn) {
                let middle = (*least + *most) / 2.0;
                if *value >= middle {
                    code |= 1;
                    *least = middle;
                } else {
                    *most = middle;
                }
            }
            turn = 1 - turn;
        }
        out.push(ALPHABET.get(code).map_or('0', |letter| char::from(*letter)));
    }
    out
}

/// The metres between two places by the haversine formula.
#[must_use]
pub fn distance(from: [f64; 2], to: [f64; 2]) -> f64 {
    let [[lat1, lon1], [lat2, lon2]] = [from, to].map(|place| place.map(f64::to_radians));
    let half = |angle: f64| (angle / 2.0).sin().powi(2);
    let share = half(lat2 - lat1) + lat1.cos() * lat2.cos() * half(lon2 - lon1);
    2.0 * EARTH_RADIUS * share.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_geohashes() {
        for (place, letters, told) in [
            ([51.507_222, -0.1275], 12, "gcpvj0e5m415"),
            ([57.64911, 10.40744], 11, "u4pruydqqvj"),
            ([57.64911, 10.40744], 1, "u"),
            ([-90.0, -180.0], 3, "000"),
            ([90.0, 180.0], 3, "zzz"),
        ] {
            assert_eq!(geohash(place, letters), told);
        }
    }

    #[test]
    fn distances_on_a_sphere() {
        for (from, to, told) in [
            ([0.0, 0.0], [0.0, 0.0], 0.0),
            ([0.0, 0.0], [0.0, 180.0], std::f64::consts::PI * EARTH_RADIUS),
            ([55.6761, 12.5683], [51.5074, -0.1278], 956_000.0),
            ([90.0, 0.0], [90.0, 77.0], 0.0),
        ] {
            let found = distance(from, to);
            assert!((found - told).abs() <= told * 0.001 + 1e-6, "{from:?} {to:?}: {found}");
        }
    }
}
