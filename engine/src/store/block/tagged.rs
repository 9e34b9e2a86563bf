//! Reading the tags of a block: of a few rows the values of their sets alone, of many a column over all sets, kept.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use weir_query::compile::TextMatcher;
use weir_query::record::{Column, Dictionary, Selection};
use weir_query::value::Value;

use super::GRANULE_ROWS;
use super::ask::Ask;
use super::column::filled;
use super::cursor::Cursor;
use super::literal::Plan;
use super::marks::marks;
use super::needle::Needle;
use super::node::Skeletons;
use super::part::{Part, TextKind};
use super::pick::{Chosen, Values};
use super::read::Block;
use super::search::needle_of;
use super::section::Section;
use super::tags::{Growing, TagColumn, TagColumns, TagSets, put_tag};
use super::wire::Corrupt;

/// With no more sets than this, all are read: a block of some streams has a few.
const FEW_SETS: usize = GRANULE_ROWS;
/// With fewer rows wanted than one set in so many, their sets alone are read.
const SPARSE_SETS: usize = 4;

/// The tags of a block.
#[derive(Debug)]
pub(super) struct Tagged {
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// A block of the first version: the sets as texts, and their columns once somebody asked.
    First(Section, OnceLock<TagColumns>),
    /// The sets as rows of a part, and each tag over all of them, once somebody asked for it.
    Part(Box<Part>, Vec<OnceLock<TagColumn>>),
}

impl Tagged {
    /// Those of a block of the first version.
    pub(super) fn first(section: Section) -> Tagged {
        Tagged { form: Form::First(section, OnceLock::new()) }
    }

    pub(super) fn new(part: Part) -> Tagged {
        let columns = part.places.iter().map(|_| OnceLock::new()).collect();
        Tagged { form: Form::Part(Box::new(part), columns) }
    }
}

impl Block {
    /// The sets of tags as a part; not of a block of the first version.
    pub(super) fn tag_part(&self) -> Option<&Part> {
        match &self.tags.form {
            Form::First(..) => None,
            Form::Part(part, _) => Some(part),
        }
    }

    /// The names of all tags, in order.
    pub(super) fn tag_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = match &self.tags.form {
            // A block whose tags cannot be read says so when one is asked for.
            Form::First(section, columns) => {
                self.first_columns(section, columns).map_or(Vec::new(), |columns| columns.names().collect())
            }
            Form::Part(part, _) => part.places.iter().map(|place| &*place.path).collect(),
        };
        names.sort_unstable();
        names
    }

    /// All sets of tags.
    pub(crate) fn tag_sets(&self) -> Result<TagSets, Corrupt> {
        let part = match &self.tags.form {
            Form::First(section, columns) => return Ok(self.first_columns(section, columns)?.sets()),
            Form::Part(part, _) => part,
        };
        let skeletons = part.skeletons()?;
        let open = |node| Cursor::open(node, self.body(), 0..node.count, None);
        let mut cursors = skeletons.columns.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let (mut sets, mut own, mut value) = (TagSets::default(), Vec::new(), Vec::new());
        for code in &skeletons.ranks(self.body())?.codes {
            own.clear();
            let skeleton = skeletons.skeletons.get(*code as usize).ok_or(Corrupt("unknown skeleton"))?;
            for column in &skeleton.columns {
                let unknown = Corrupt("hole without a column");
                let name = &part.places.get(*column as usize).ok_or(unknown)?.path;
                value.clear();
                cursors.get_mut(*column as usize).ok_or(unknown)?.next(&mut value)?;
                put_tag(&mut own, name, as_text(&value)?);
            }
            sets.push(&own);
        }
        Ok(sets)
    }

    fn first_columns<'a>(
        &self,
        section: &Section,
        columns: &'a OnceLock<TagColumns>,
    ) -> Result<&'a TagColumns, Corrupt> {
        if let Some(columns) = columns.get() {
            return Ok(columns);
        }
        let read = TagColumns::read(&section.read(self.body())?)?;
        Ok(columns.get_or_init(|| {
            self.body().count_held(read.memory_bytes());
            read
        }))
    }

    /// A tag for the rows of `rows`. A field whose name happens to start like one is never taken for it.
    pub(super) fn tag_column(
        &self,
        name: &str,
        within: &Selection,
        rows: &Range<usize>,
    ) -> Result<Column, Corrupt> {
        let tag = match self.tag_of(name, within.count())? {
            Asked::None => return Ok(Column::Missing { rows: rows.len() }),
            Asked::Whole(tag) => tag,
            Asked::Few(part, place) => {
                let wanted: Vec<u32> = within.iter().map(|row| row as u32).collect();
                let (codes, dictionary) = self.few_tags(part, place, &wanted)?;
                let codes = filled(Dictionary::MISSING, rows.len(), |slots| {
                    for (row, code) in wanted.iter().zip(codes) {
                        let slot = (*row as usize).checked_sub(rows.start).and_then(|at| slots.get_mut(at));
                        *slot.ok_or(Corrupt("no such row"))? = code;
                    }
                    Ok(())
                })?;
                return Ok(Column::Dictionary { codes, dictionary });
            }
        };
        if let Some(value) = tag.constant() {
            return Ok(Column::Constant { value: Value::Text(value.into()), rows: rows.len() });
        }
        let codes = filled(Dictionary::MISSING, rows.len(), |codes| {
            for run in self.runs(within) {
                let Some(slots) = codes.get_mut(run.start - rows.start..run.end - rows.start) else {
                    continue;
                };
                self.tag_codes_into(run, slots)?;
                slots.iter_mut().for_each(|slot| *slot = tag.code(i64::from(*slot)));
            }
            Ok(())
        })?;
        Ok(Column::Dictionary { codes, dictionary: Arc::clone(&tag.dictionary) })
    }

    /// A tag of the rows `rows`, a slot each; `None` where none of them has it.
    pub(super) fn pick_tag(&self, name: &str, rows: &[u32]) -> Result<Option<Column>, Corrupt> {
        let (codes, dictionary) = match self.tag_of(name, rows.len())? {
            Asked::None => return Ok(None),
            Asked::Few(part, place) => self.few_tags(part, place, rows)?,
            Asked::Whole(tag) => {
                if let Some(value) = tag.constant() {
                    let value = Value::Text(value.into());
                    return Ok(Some(Column::Constant { value, rows: rows.len() }));
                }
                let codes = self.tag_codes_at(rows)?.into_iter().map(|set| tag.code(set)).collect();
                (codes, Arc::clone(&tag.dictionary))
            }
        };
        let any = codes.iter().any(|code| *code != Dictionary::MISSING);
        Ok(any.then(|| Column::Dictionary { codes: codes.into(), dictionary }))
    }

    /// Those of `within` whose value of tag `name` may pass, by the literal that it must be or contain, found in what is
    /// stored; `None` when nothing is known, or it is as easy to look at the values.
    pub(super) fn tag_may_match(
        &self,
        name: &str,
        matcher: &TextMatcher,
        within: &Selection,
    ) -> Result<Option<Selection>, Corrupt> {
        let Some((part, place)) = self.part_of(name) else { return Ok(None) };
        let skeletons = part.skeletons()?;
        let node = skeletons.columns.get(place).ok_or(Corrupt("unknown column"))?;
        if node.count <= FEW_SETS || node.count != part.node.count {
            return Ok(None);
        }
        let equals = matcher.as_equals();
        let needle = equals.map_or_else(|| needle_of(matcher), |literal| Needle::exact(literal.as_bytes()));
        let Some(needle) = needle else { return Ok(None) };
        let ask = if equals.is_some() { Ask::whole(&needle) } else { Ask::inside(&needle) };
        let rows = self.around(within);
        let mut sets = vec![0u32; rows.len()];
        self.tag_codes_into(rows.clone(), &mut sets)?;
        let set_of = |row: usize| sets.get(row - rows.start).map_or(usize::MAX, |set| *set as usize);
        let mut wanted = Selection::none(node.count);
        within.iter().for_each(|row| wanted.insert(set_of(row)));
        let plan = Plan::of(node, &needle, ask, self.body())?;
        let found = marks(node, &plan, &needle, self.body(), &wanted, None)?;
        let mut left = within.clone();
        left.retain(|row| found.contains(set_of(row)));
        Ok(Some(left))
    }

    /// Where tag `name` is in the part of the sets.
    fn part_of(&self, name: &str) -> Option<(&Part, usize)> {
        let part = self.tag_part()?;
        Some((part, part.places.iter().position(|place| &*place.path == name)?))
    }

    /// Tag `name`, for so many rows.
    fn tag_of(&self, name: &str, rows: usize) -> Result<Asked<'_>, Corrupt> {
        let (part, columns) = match &self.tags.form {
            Form::First(section, columns) => {
                let tag = self.first_columns(section, columns)?.get(name);
                return Ok(tag.map_or(Asked::None, Asked::Whole));
            }
            Form::Part(part, columns) => (part, columns),
        };
        let Some((_, place)) = self.part_of(name) else { return Ok(Asked::None) };
        let column = columns.get(place).ok_or(Corrupt("unknown column"))?;
        let sets = part.node.count;
        if column.get().is_none() && sets > FEW_SETS && rows < sets / SPARSE_SETS {
            return Ok(Asked::Few(part, place));
        }
        if let Some(tag) = column.get() {
            return Ok(Asked::Whole(tag));
        }
        let all: Vec<u32> = (0..sets as u32).collect();
        let tag = self.tag_values(part, place, &all)?;
        Ok(Asked::Whole(column.get_or_init(|| {
            self.body().count_held(tag.memory_bytes());
            tag
        })))
    }

    /// The codes of a tag of `rows`, and its values in them.
    fn few_tags(
        &self,
        part: &Part,
        place: usize,
        rows: &[u32],
    ) -> Result<(Vec<u32>, Arc<Dictionary>), Corrupt> {
        let of_rows = self.tag_codes_at(rows)?;
        let mut sets: Vec<u32> = of_rows.iter().filter_map(|set| u32::try_from(*set).ok()).collect();
        sets.sort_unstable();
        sets.dedup();
        if sets.last().is_some_and(|last| *last as usize >= part.node.count) {
            return Err(Corrupt("unknown set of tags"));
        }
        let tag = self.tag_values(part, place, &sets)?;
        let code = |set: &i64| {
            let at = u32::try_from(*set).ok().and_then(|set| sets.binary_search(&set).ok());
            at.map_or(Dictionary::MISSING, |at| tag.code(at as i64))
        };
        Ok((of_rows.iter().map(code).collect(), tag.dictionary))
    }

    /// The values that the sets `sets`, ascending, have of the tag at `place`: as a column over them alone.
    fn tag_values(&self, part: &Part, place: usize, sets: &[u32]) -> Result<TagColumn, Corrupt> {
        let skeletons = part.skeletons()?;
        let unknown = Corrupt("unknown column");
        let name = &part.places.get(place).ok_or(unknown)?.path;
        let node = skeletons.columns.get(place).ok_or(unknown)?;
        let codes = skeletons.codes_at(self.body(), sets)?;
        let mut chosen = skeletons.chosen(self.body(), sets, &codes, |column| column as usize == place)?;
        let has = has_column(skeletons, part, place);
        let values = match chosen.get_mut(place).and_then(Option::take) {
            None => Values::none(),
            Some(Chosen::Each) => node.pick_values(self.body(), sets, None)?,
            Some(Chosen::At(at)) => node.pick_values(self.body(), &at, None)?,
        };
        let mut growing = Growing::default();
        let mut at = 0;
        for (set, code) in codes.iter().enumerate() {
            if has.get(*code as usize) == Some(&true) {
                growing.push(set, as_text(values.get(at).ok_or(Corrupt("column ends early"))?)?);
                at += 1;
            }
        }
        Ok(growing.finish(name, sets.len()))
    }
}

/// A tag that was asked for.
enum Asked<'b> {
    /// There is none of that name.
    None,
    /// Over all sets.
    Whole(&'b TagColumn),
    /// To be read of the sets that are wanted: the column at this place.
    Few(&'b Part, usize),
}

/// Which skeletons have the column at `place`.
fn has_column(skeletons: &Skeletons, part: &Part, place: usize) -> Vec<bool> {
    let with_kinds = skeletons.skeletons.iter().zip(&part.kinds);
    let has = with_kinds.map(|(skeleton, kind)| {
        *kind == TextKind::Json && skeleton.columns.iter().any(|column| *column as usize == place)
    });
    has.collect()
}

fn as_text(value: &[u8]) -> Result<&str, Corrupt> {
    std::str::from_utf8(value).map_err(|_| Corrupt("tag is not utf-8"))
}
