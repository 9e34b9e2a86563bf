//! Choosing how the values of a column are kept, and writing them.
//!
//! Forms are tried from the cheapest to the most general, each giving up at the first value that does not fit:
//! constant, dictionary (when a sample repeats), numbers, digits, templates (when a sample of texts shares them),
//! text.

use hashbrown::HashMap;

use super::distinct::Distinct;
use super::hex::Pattern;
use super::ints;
use super::node::Skeleton;
use super::number::Form;
use super::section::{Body, Content};
use super::template::{HOLE, HOLES_MAX, Split};
use super::wire::{put_bytes, put_signed, put_varint};

/// Raw bytes after which a chunk of text ends.
const CHUNK_BYTES: usize = 256 << 10;
/// Columns with fewer values are kept as text without trying templates.
const TEMPLATE_VALUES_MIN: usize = 16;
/// Templates with fewer values are not worth columns of their own.
const TEMPLATE_USES_MIN: u32 = 8;
/// Most templates of one column.
const TEMPLATES_MAX: usize = 2_048;
/// Quoted strings inside texts are split in turn, and no further.
const TEMPLATE_DEPTH_MAX: usize = 2;
/// Values looked at before more costly forms are tried, in runs of neighbours.
const SAMPLE_RUNS: usize = 16;
const SAMPLE_RUN: usize = 32;

/// What became of a column, for facts.
#[derive(Debug)]
pub(crate) enum Kept<'a> {
    /// One value.
    Constant(&'a [u8]),
    /// Distinct values and their codes.
    Dictionary(Vec<&'a [u8]>, Vec<u32>),
    /// Numbers that all read as decimals: least and greatest.
    Numbers(f64, f64),
    /// Anything else.
    Other,
}

/// Shorter sections of integers are not worth trying in whole bytes.
const ALIGNED_BYTES_MIN: usize = 192;
/// More than four times as many values are tried on so many first.
const ALIGNED_TRIAL_VALUES: usize = 4 << 10;

/// Writes `values` as one node of the directory. `times` are those of the rows, where it is a column of rows.
pub(crate) fn column<'a>(body: &mut Body, values: &[&'a [u8]], times: Option<&[i64]>) -> Kept<'a> {
    Encoder { body, split: Split::default() }.column(values, times, 0, true)
}

/// Writes `values` as plain text: the form that cannot fail.
pub(crate) fn plain(body: &mut Body, values: &[&[u8]]) {
    Encoder { body, split: Split::default() }.text(values);
}

/// Writes a section of integers.
pub(crate) fn packed(body: &mut Body, values: &[i64]) {
    let mut bytes = Vec::new();
    ints::encode(values, &mut bytes);
    packed_as(body, values, &bytes);
}

/// Writes a section of integers that are `bytes` when packed tightly.
fn packed_as(body: &mut Body, values: &[i64], bytes: &[u8]) {
    let mut aligned = Vec::new();
    let may_repeat = bytes.len() >= ALIGNED_BYTES_MIN && aligned_promise(body, values, &mut aligned);
    aligned.clear();
    if may_repeat && ints::encode_aligned(values, &mut aligned) {
        body.put_either(bytes, &aligned);
    } else {
        body.put(bytes, Content::Packed);
    }
}

/// Whether a part of many values in whole bytes, which are made in `aligned`, repeats enough for a compressor; few values
/// are not tried.
fn aligned_promise(body: &mut Body, values: &[i64], aligned: &mut Vec<u8>) -> bool {
    if values.len() <= ALIGNED_TRIAL_VALUES * 4 {
        return true;
    }
    let middle = values.len() / 2;
    let part = values.get(middle..middle + ALIGNED_TRIAL_VALUES).unwrap_or_default();
    ints::encode_aligned(part, aligned) && body.promises(aligned)
}

/// Writes the skeletons and codes of a skeleton node, whose columns have been written.
pub(crate) fn skeletons(body: &mut Body, skeletons: &[Skeleton], codes: &[u32]) {
    let out = &mut body.directory;
    put_varint(out, skeletons.len() as u64);
    for skeleton in skeletons {
        put_bytes(out, &skeleton.literal);
        put_varint(out, skeleton.ends.len() as u64);
        let mut start = 0;
        for (end, column) in skeleton.ends.iter().zip(&skeleton.columns) {
            put_varint(out, u64::from(end - start));
            put_varint(out, u64::from(*column));
            start = *end;
        }
    }
    let codes: Vec<i64> = codes.iter().map(|code| i64::from(*code)).collect();
    packed(body, &codes);
}

/// Writes the kind and count at the front of a node.
pub(crate) fn head(body: &mut Body, kind: u8, count: usize) {
    body.directory.push(kind);
    put_varint(&mut body.directory, count as u64);
}

struct Encoder<'b> {
    body: &'b mut Body,
    split: Split,
}

impl Encoder<'_> {
    fn column<'a>(
        &mut self,
        values: &[&'a [u8]],
        times: Option<&[i64]>,
        depth: usize,
        dictionary: bool,
    ) -> Kept<'a> {
        let first = values.first().copied().unwrap_or_default();
        if values.iter().all(|value| *value == first) {
            head(self.body, 0, values.len());
            put_bytes(&mut self.body.directory, first);
            return Kept::Constant(first);
        }
        let sample = sample(values);
        let numbers = Form::parse_all(values);
        if dictionary
            && let Some(limit) = dictionary_limit(values, &sample, numbers.as_ref())
            && let Some((distinct, codes)) = distinct(values, limit)
            && numbers.as_ref().is_none_or(|(_, numbers)| dictionary_pays(&distinct, numbers))
        {
            self.dictionary(&distinct, &codes, depth);
            return Kept::Dictionary(distinct, codes);
        }
        if let Some((form, numbers)) = numbers {
            self.numbers(&form, &numbers, times);
            return range(&form, &numbers);
        }
        if let Some(pattern) = Pattern::of(values) {
            self.hex(&pattern, values);
        } else if !(depth < TEMPLATE_DEPTH_MAX && self.templates(values, &sample, depth)) {
            self.text(values);
        }
        Kept::Other
    }

    fn dictionary(&mut self, distinct: &[&[u8]], codes: &[u32], depth: usize) {
        head(self.body, 1, codes.len());
        self.column(distinct, None, depth + 1, false);
        let codes: Vec<i64> = codes.iter().map(|code| i64::from(*code)).collect();
        packed(self.body, &codes);
    }

    fn numbers(&mut self, form: &Form, numbers: &[i64], times: Option<&[i64]>) {
        head(self.body, 2, numbers.len());
        form.write(&mut self.body.directory);
        let mut direct = Vec::new();
        ints::encode(numbers, &mut direct);
        match times.and_then(|times| relative(form, numbers, times)) {
            Some(relative) if relative.packed.len() < direct.len() => {
                put_signed(&mut self.body.directory, relative.unit);
                packed_as(self.body, &relative.offsets, &relative.packed);
            }
            _ => {
                put_signed(&mut self.body.directory, 0);
                packed_as(self.body, numbers, &direct);
            }
        }
    }

    fn hex(&mut self, pattern: &Pattern, values: &[&[u8]]) {
        head(self.body, 3, values.len());
        pattern.write(&mut self.body.directory);
        let mut digits = Vec::with_capacity(values.len() * pattern.width());
        for value in values {
            pattern.pack(value, &mut digits);
        }
        self.body.put(&digits, Content::Digits);
    }

    fn text(&mut self, values: &[&[u8]]) {
        head(self.body, 4, values.len());
        let lengths: Vec<i64> = values.iter().map(|value| value.len() as i64).collect();
        packed(self.body, &lengths);
        let mut chunks: Vec<(usize, Vec<u8>)> = Vec::new();
        for value in values {
            match chunks.last_mut().filter(|(_, bytes)| bytes.len() < CHUNK_BYTES) {
                Some((count, bytes)) => {
                    *count += 1;
                    bytes.extend_from_slice(value);
                }
                None => chunks.push((1, value.to_vec())),
            }
        }
        put_varint(&mut self.body.directory, chunks.len() as u64);
        for (count, bytes) in chunks {
            put_varint(&mut self.body.directory, count as u64);
            self.body.put(&bytes, Content::Text);
        }
    }

    /// Writes `values` as templates and what stands in their holes; false, and nothing written, when too few
    /// values share a template.
    fn templates(&mut self, values: &[&[u8]], sample: &[&[u8]], depth: usize) -> bool {
        if values.len() < TEMPLATE_VALUES_MIN || !self.templates_promise(sample) {
            return false;
        }
        let Some(found) = Templates::of(&mut self.split, values) else { return false };
        let (skeletons, codes, columns) = found.arrange(values);
        head(self.body, 5, values.len());
        put_varint(&mut self.body.directory, columns.len() as u64);
        for (index, column) in columns.iter().enumerate() {
            if index == 0 {
                self.text(column);
            } else {
                self.column(column, None, depth + 1, true);
            }
        }
        self::skeletons(self.body, &skeletons, &codes);
        true
    }

    /// Whether the values of the sample share templates, and templates take some text away.
    fn templates_promise(&mut self, sample: &[&[u8]]) -> bool {
        let mut keys: HashMap<Vec<u8>, u32, foldhash::fast::FixedState> = HashMap::default();
        let mut with_holes = 0;
        for value in sample {
            if self.split.split(value) {
                with_holes += usize::from(!self.split.holes.is_empty());
                *keys.entry_ref(self.split.key.as_slice()).or_insert(0) += 1;
            }
        }
        let shared: u32 = keys.values().filter(|uses| **uses >= 2).sum();
        with_holes * 4 >= sample.len() && shared as usize * 2 >= sample.len()
    }
}

/// Skeletons, a code a value, and the columns.
type Arranged<'a> = (Vec<Skeleton>, Vec<u32>, Vec<Vec<&'a [u8]>>);

/// The templates of a column and which value has which.
#[derive(Default)]
struct Templates {
    keys: Vec<Vec<u8>>,
    uses: Vec<u32>,
    /// A template a value; [`NO_TEMPLATE`] where there is none.
    of_value: Vec<u32>,
    holes: Vec<(u32, u32)>,
    /// How many holes a value has.
    hole_counts: Vec<u8>,
}

const NO_TEMPLATE: u32 = u32::MAX;

impl Templates {
    /// Splits all values; `None` when fewer than half of them have a template that enough others have.
    fn of(split: &mut Split, values: &[&[u8]]) -> Option<Templates> {
        let mut found = Templates::default();
        let mut known: HashMap<Vec<u8>, u32, foldhash::fast::FixedState> = HashMap::default();
        for value in values {
            let number = if split.split(value) {
                match known.get(split.key.as_slice()) {
                    Some(number) => *number,
                    None if known.len() < TEMPLATES_MAX => {
                        let number = found.keys.len() as u32;
                        known.insert(split.key.clone(), number);
                        found.keys.push(split.key.clone());
                        found.uses.push(0);
                        number
                    }
                    None => NO_TEMPLATE,
                }
            } else {
                NO_TEMPLATE
            };
            found.of_value.push(number);
            let holes = if number == NO_TEMPLATE { &[][..] } else { split.holes.as_slice() };
            debug_assert!(holes.len() <= HOLES_MAX);
            found.hole_counts.push(holes.len() as u8);
            found.holes.extend_from_slice(holes);
            if let Some(uses) = found.uses.get_mut(number as usize) {
                *uses += 1;
            }
        }
        let served: u32 = found.uses.iter().filter(|uses| **uses >= TEMPLATE_USES_MIN).sum();
        (served as usize * 2 >= values.len()).then_some(found)
    }

    /// Skeletons, a code a value, and the columns. Skeleton 0 and column 0 take the texts without a template.
    fn arrange<'a>(&self, values: &[&'a [u8]]) -> Arranged<'a> {
        let mut skeletons = vec![Skeleton { literal: Vec::new(), ends: vec![0], columns: vec![0] }];
        let mut columns: Vec<Vec<&'a [u8]>> = vec![Vec::new()];
        let mut codes_of: Vec<u32> = Vec::with_capacity(self.keys.len());
        for (key, uses) in self.keys.iter().zip(&self.uses) {
            if *uses < TEMPLATE_USES_MIN {
                codes_of.push(0);
                continue;
            }
            codes_of.push(skeletons.len() as u32);
            let mut skeleton = Skeleton::default();
            for (index, piece) in key.split(|byte| *byte == HOLE).enumerate() {
                if index > 0 {
                    skeleton.ends.push(skeleton.literal.len() as u32);
                    skeleton.columns.push(columns.len() as u32);
                    columns.push(Vec::with_capacity(*uses as usize));
                }
                skeleton.literal.extend_from_slice(piece);
            }
            skeletons.push(skeleton);
        }
        let mut codes = Vec::with_capacity(values.len());
        let mut holes = self.holes.as_slice();
        for ((value, template), count) in values.iter().zip(&self.of_value).zip(&self.hole_counts) {
            let (own, rest) = holes.split_at_checked(usize::from(*count)).unwrap_or((holes, &[]));
            holes = rest;
            let code = codes_of.get(*template as usize).copied().unwrap_or(0);
            codes.push(code);
            if code == 0 {
                if let Some(column) = columns.first_mut() {
                    column.push(value);
                }
                continue;
            }
            let targets = skeletons.get(code as usize).map_or(&[][..], |skeleton| &skeleton.columns);
            for (target, (start, end)) in targets.iter().zip(own) {
                if let Some(column) = columns.get_mut(*target as usize) {
                    column.push(value.get(*start as usize..*end as usize).unwrap_or_default());
                }
            }
        }
        (skeletons, codes, columns)
    }
}

/// Some of `values`, in runs of neighbours spread over all.
fn sample<'a>(values: &[&'a [u8]]) -> Vec<&'a [u8]> {
    if values.len() <= SAMPLE_RUNS * SAMPLE_RUN {
        return values.to_vec();
    }
    let step = values.len() / SAMPLE_RUNS;
    (0..SAMPLE_RUNS).flat_map(|run| values.iter().skip(run * step).take(SAMPLE_RUN).copied()).collect()
}

/// How many distinct values a dictionary may have; `None` when a sample says there is no use in trying.
fn dictionary_limit(values: &[&[u8]], sample: &[&[u8]], numbers: Option<&(Form, Vec<i64>)>) -> Option<usize> {
    let (seen, _) = distinct(sample, usize::MAX)?;
    let share = seen.len() * 100 / sample.len().max(1);
    match numbers {
        Some(_) => (share <= 50).then_some(256.min(values.len() / 4)),
        // Sentences with few repeats are better served by templates.
        None if sentences(sample) => (share <= 75).then_some(values.len() / 8),
        None => (share <= 90).then_some(values.len() * 3 / 5),
    }
}

/// Whether most of the sample consists of words.
fn sentences(sample: &[&[u8]]) -> bool {
    let words = sample.iter().filter(|value| value.len() > 16 && value.contains(&b' '));
    words.count() * 2 >= sample.len()
}

/// Distinct values in order of first appearance and a code a value; `None` when there are more than `limit`.
fn distinct<'a>(values: &[&'a [u8]], limit: usize) -> Option<(Vec<&'a [u8]>, Vec<u32>)> {
    let mut table = Distinct::new();
    let mut codes: Vec<u32> = Vec::with_capacity(values.len());
    for value in values {
        codes.push(table.number(value, limit)?);
    }
    Some((table.into_values(), codes))
}

/// Whether codes take fewer bits than the numbers would.
fn dictionary_pays(distinct: &[&[u8]], numbers: &[i64]) -> bool {
    let bits = |most: u64| u64::from(64 - most.leading_zeros());
    let (Some(least), Some(most)) = (numbers.iter().min(), numbers.iter().max()) else { return false };
    let plain = bits(most.wrapping_sub(*least) as u64) * numbers.len() as u64;
    let text: usize = distinct.iter().map(|value| value.len() + 1).sum();
    bits(distinct.len() as u64 - 1) * numbers.len() as u64 + text as u64 * 8 < plain
}

/// Numbers as offsets from the times of their rows.
struct Relative {
    /// Nanoseconds a unit.
    unit: i64,
    offsets: Vec<i64>,
    packed: Vec<u8>,
}

/// The numbers relative to the times of their rows, when they may be times themselves.
fn relative(form: &Form, numbers: &[i64], times: &[i64]) -> Option<Relative> {
    let units: &[i64] = match form {
        Form::Moment(layout) if layout.date != super::moment::Date::None => &[1_000_000_000 / layout.units()],
        Form::Plain => &[1_000_000_000, 1_000_000, 1_000, 1],
        _ => return None,
    };
    let (number, time) = (numbers.first()?, times.first()?);
    // A day's distance allows for a time zone.
    let near = |unit: &&i64| {
        let offset = number.wrapping_sub(time.div_euclid(**unit));
        offset.unsigned_abs() <= 86_400 * (1_000_000_000 / **unit) as u64
    };
    let unit = *units.iter().find(near)?;
    let offsets: Vec<i64> =
        numbers.iter().zip(times).map(|(number, time)| number.wrapping_sub(time.div_euclid(unit))).collect();
    let mut packed = Vec::new();
    ints::encode(&offsets, &mut packed);
    Some(Relative { unit, offsets, packed })
}

fn range<'a>(form: &Form, numbers: &[i64]) -> Kept<'a> {
    let scale = match form {
        Form::Plain | Form::Padded(_) => 0,
        Form::Decimal { scale, .. } => i32::from(*scale),
        Form::Moment(_) => return Kept::Other,
    };
    let (Some(least), Some(most)) = (numbers.iter().min(), numbers.iter().max()) else { return Kept::Other };
    let unit = 10f64.powi(scale);
    Kept::Numbers(*least as f64 / unit, *most as f64 / unit)
}
