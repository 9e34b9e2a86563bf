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
use super::node::holders;
use super::part::{Part, TextKind};
use super::pick::Chosen;
use super::read::Block;
use super::search::needle_of;
use super::section::{Section, Source};
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
    /// How many sets there are, or why none of what is stored of them is believed.
    sets: OnceLock<Result<usize, Corrupt>>,
}

#[derive(Debug)]
enum Form {
    /// A block of the first version: the sets as texts, and their columns once somebody asked.
    First(Section, OnceLock<TagColumns>),
    /// The sets as rows of a part.
    Part(Box<Sets>),
}

/// Sets of tags as rows of a part.
#[derive(Debug)]
struct Sets {
    part: Part,
    /// The places of the part in order of their names.
    by_name: Vec<u32>,
    /// Each tag over all sets, once somebody asked for it.
    columns: Vec<OnceLock<TagColumn>>,
}

impl Tagged {
    /// Those of a block of the first version.
    pub(super) fn first(section: Section) -> Tagged {
        Tagged { form: Form::First(section, OnceLock::new()), sets: OnceLock::new() }
    }

    pub(super) fn new(part: Part) -> Tagged {
        let columns = part.places.iter().map(|_| OnceLock::new()).collect();
        let mut by_name: Vec<u32> = (0..part.places.len() as u32).collect();
        by_name.sort_by(|a, b| part.name(*a).cmp(part.name(*b)));
        Tagged { form: Form::Part(Box::new(Sets { part, by_name, columns })), sets: OnceLock::new() }
    }
}

impl Sets {
    /// The place of tag `name`.
    fn place(&self, name: &str) -> Option<usize> {
        let at = self.by_name.binary_search_by(|place| self.part.name(*place).cmp(name)).ok()?;
        self.by_name.get(at).map(|place| *place as usize)
    }

    /// How many sets there are, if what is stored of them fits together: each name once, each tag once in a set, and as many
    /// values of a tag as sets that have it.
    fn count(&self, body: Source<'_>) -> Result<usize, Corrupt> {
        let is_same = |pair: &[u32]| matches!(pair, [a, b] if self.part.name(*a) == self.part.name(*b));
        if self.by_name.windows(2).any(is_same) {
            return Err(Corrupt("two tags of one name"));
        }
        let (skeletons, sets) = (self.part.skeletons()?, self.part.node.count);
        let of_skeletons = skeletons.ranks(body)?.before(sets);
        // Of each tag how many sets have it, and the last skeleton with it.
        let mut tags = vec![(0, usize::MAX); skeletons.columns.len()];
        for (code, (skeleton, count)) in skeletons.skeletons.iter().zip(of_skeletons).enumerate() {
            if !skeleton.columns.is_empty() && self.part.kinds.get(code) != Some(&TextKind::Json) {
                return Err(Corrupt("set of tags that is none"));
            }
            for column in &skeleton.columns {
                let tag = tags.get_mut(*column as usize).ok_or(Corrupt("hole without a column"))?;
                if std::mem::replace(&mut tag.1, code) == code {
                    return Err(Corrupt("tag twice in a set"));
                }
                tag.0 += count as usize;
            }
        }
        let fits = skeletons.columns.iter().zip(tags).all(|(column, (count, _))| column.count == count);
        if fits { Ok(sets) } else { Err(Corrupt("values of a tag that no set has")) }
    }
}

impl Block {
    /// The sets of tags as a part; not of a block of the first version.
    pub(super) fn tag_part(&self) -> Option<&Part> {
        self.part_sets().map(|sets| &sets.part)
    }

    fn part_sets(&self) -> Option<&Sets> {
        match &self.tags.form {
            Form::First(..) => None,
            Form::Part(sets) => Some(sets),
        }
    }

    /// How many sets of tags there are. Whoever reads tags comes by here, so that what is damaged of them is an error,
    /// the same for everybody: sets that do not fit together, and rows of sets that there are not.
    fn tag_set_count(&self) -> Result<usize, Corrupt> {
        let check = || {
            let sets = match &self.tags.form {
                Form::First(section, columns) => self.first_columns(section, columns)?.set_count(),
                Form::Part(sets) => sets.count(self.body())?,
            };
            let known = 0..sets as i64;
            let numbers = self.tag_codes.load(self.body())?;
            // Mostly frames tell without their numbers.
            if numbers.bounds().is_some_and(|(low, high)| known.contains(&low) && known.contains(&high)) {
                return Ok(sets);
            }
            let mut own = Vec::new();
            numbers.read(0..self.rows(), &mut own);
            if own.iter().all(|set| known.contains(set)) {
                Ok(sets)
            } else {
                Err(Corrupt("row with an unknown set of tags"))
            }
        };
        *self.tags.sets.get_or_init(check)
    }

    /// The tag sets of `rows`.
    fn tag_codes_at(&self, rows: &[u32]) -> Result<Vec<u32>, Corrupt> {
        self.tag_set_count()?;
        let sets = self.tag_codes.pick(self.body(), rows)?;
        Ok(sets.into_iter().map(|set| set as u32).collect())
    }

    /// The tag sets of `range`.
    pub(crate) fn tag_codes(&self, range: Range<usize>) -> Result<Vec<i64>, Corrupt> {
        self.tag_set_count()?;
        self.tag_codes.values(self.body(), range)
    }

    /// Puts the tag sets of `range` into `out`.
    fn tag_codes_into(&self, range: Range<usize>, out: &mut [u32]) -> Result<(), Corrupt> {
        self.tag_set_count()?;
        self.tag_codes.decode(self.body(), range, out)
    }

    /// The names of all tags, in order.
    pub(super) fn tag_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = match &self.tags.form {
            // A block whose tags cannot be read says so when one is asked for.
            Form::First(section, columns) => {
                self.first_columns(section, columns).map_or(Vec::new(), |columns| columns.names().collect())
            }
            Form::Part(sets) => return sets.by_name.iter().map(|place| sets.part.name(*place)).collect(),
        };
        names.sort_unstable();
        names
    }

    /// All sets of tags.
    pub(crate) fn tag_sets(&self) -> Result<TagSets, Corrupt> {
        self.tag_set_count()?;
        let part = match &self.tags.form {
            Form::First(section, columns) => return Ok(self.first_columns(section, columns)?.sets()),
            Form::Part(sets) => &sets.part,
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
                slots.iter_mut().for_each(|slot| *slot = tag.code(*slot));
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
        let Some(sets) = self.part_sets() else { return Ok(None) };
        let Some(place) = sets.place(name) else { return Ok(None) };
        let part = &sets.part;
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
        let mut codes = vec![0u32; rows.len()];
        self.tag_codes_into(rows.clone(), &mut codes)?;
        let set_of = |row: usize| codes.get(row - rows.start).map_or(usize::MAX, |set| *set as usize);
        let mut wanted = Selection::none(node.count);
        within.iter().for_each(|row| wanted.insert(set_of(row)));
        let plan = Plan::of(node, &needle, ask, self.body())?;
        let found = marks(node, &plan, &needle, self.body(), &wanted, None)?;
        let mut left = within.clone();
        left.retain(|row| found.contains(set_of(row)));
        Ok(Some(left))
    }

    /// Tag `name`, for so many rows.
    fn tag_of(&self, name: &str, rows: usize) -> Result<Asked<'_>, Corrupt> {
        let count = self.tag_set_count()?;
        let sets = match &self.tags.form {
            Form::First(section, columns) => {
                let tag = self.first_columns(section, columns)?.get(name);
                return Ok(tag.map_or(Asked::None, Asked::Whole));
            }
            Form::Part(sets) => sets,
        };
        let Some(place) = sets.place(name) else { return Ok(Asked::None) };
        let column = sets.columns.get(place).ok_or(Corrupt("unknown column"))?;
        if let Some(tag) = column.get() {
            return Ok(Asked::Whole(tag));
        }
        let part = &sets.part;
        if count > FEW_SETS && rows < count / SPARSE_SETS {
            return Ok(Asked::Few(part, place));
        }
        let all: Vec<u32> = (0..count as u32).collect();
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
        let mut sets = of_rows.clone();
        sets.sort_unstable();
        sets.dedup();
        let tag = self.tag_values(part, place, &sets)?;
        let code = |set: &u32| sets.binary_search(set).map_or(Dictionary::MISSING, |at| tag.code(at as u32));
        Ok((of_rows.iter().map(code).collect(), tag.dictionary))
    }

    /// The values that the sets `sets`, ascending, have of the tag at `place`: as a column over them alone.
    fn tag_values(&self, part: &Part, place: usize, sets: &[u32]) -> Result<TagColumn, Corrupt> {
        let skeletons = part.skeletons()?;
        let unknown = Corrupt("unknown column");
        let name = &part.places.get(place).ok_or(unknown)?.path;
        let node = skeletons.columns.get(place).ok_or(unknown)?;
        let codes = skeletons.codes_at(self.body(), sets)?;
        let values = match skeletons.chosen_of(self.body(), sets, &codes, place)? {
            Chosen::Each => node.pick_values(self.body(), sets, None)?,
            Chosen::At(at) => node.pick_values(self.body(), &at, None)?,
        };
        let has = holders(&skeletons.skeletons, place as u32);
        let mut growing = Growing::default();
        let mut at = 0;
        for (set, code) in codes.iter().enumerate() {
            if has.get(*code as usize) == Some(&true) {
                growing.push(set, as_text(values.get(at).ok_or(Corrupt("column ends early"))?)?);
                at += 1;
            }
        }
        growing.finish(name, sets.len())
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

fn as_text(value: &[u8]) -> Result<&str, Corrupt> {
    std::str::from_utf8(value).map_err(|_| Corrupt("tag is not utf-8"))
}
