//! The parsers of a repository: texts in the query language that run over events before they are stored, with the
//! examples that show what they do.
//!
//! ```text
//! name -> StoredParser -> Program (compiled once) -> run: EventBatch -> EventBatch -> log, head, feed
//! ```
//!
//! Those built in are there in every repository, and give way to one of the same name. What a parser made of an event is
//! in the log: a change of the parser, or its end, changes nothing that is stored.

pub mod built_in;
mod cases;
mod coding;
mod failure;
mod outcome;
mod parser;
mod run;
mod stored;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use weir_query::compile::Known;
use weir_query::error::Diagnostics;

pub use cases::{Tried, attempt, failures, fields_of};
pub use failure::{Difference, Failure};
pub use parser::{
    Case, Expected, MAX_CASES, MAX_PARSER_BYTES, MAX_PARSERS, Parser, ParserError, ParserLimits,
};
pub use run::{Account, Chosen, Parsed, parse};
pub use stored::StoredParser;

use crate::error::StoreError;
use crate::named::{Kind, NamedFiles};

const KIND: Kind = Kind { magic: b"weir-parser 1\n", ending: ".parser", max_bytes: MAX_PARSER_BYTES };
/// The parser of events that name none, if there is one: its name, in the file of this name.
const DEFAULT_KIND: Kind =
    Kind { magic: b"weir-default 1\n", ending: ".default", max_bytes: crate::named::MAX_NAME_BYTES };
const DEFAULT: &str = "parser";
/// Faults that keep a parser from being taken even where it need not run yet.
const FATAL: [&str; 3] = ["syntax", "position", "saved-query-cycle"];

/// Parsers by name.
pub type ParserMap = BTreeMap<String, Arc<StoredParser>>;

/// The parsers of a repository.
#[derive(Debug)]
pub struct Parsers {
    files: NamedFiles,
    default_file: NamedFiles,
    list: RwLock<Arc<ParserMap>>,
    default: RwLock<Option<Arc<str>>>,
    /// Held by whoever changes them.
    change: Mutex<()>,
}

/// With what a parser is compiled and tried before it is taken.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// The lookup tables and saved queries there are.
    pub known: Known,
    /// How much it may make of events.
    pub limits: ParserLimits,
    /// When examples arrive that do not say, nanoseconds since the epoch.
    pub now_nanos: i64,
    /// Takes it although test cases fail, or tables and saved queries that it names are not there yet: what still keeps it
    /// from being taken is a text that can be no parser.
    pub is_forced: bool,
}

/// A parser that was taken.
#[derive(Debug)]
pub struct Put {
    /// It, in its new version.
    pub parser: Arc<StoredParser>,
    /// There was none of that name in the repository.
    pub is_new: bool,
    /// The test cases that fail; none unless it was forced.
    pub failures: Vec<Failure>,
    /// Why it does not run yet; `None` unless it was forced.
    pub faults: Option<Diagnostics>,
}

impl Parsers {
    /// Reads those in directory `folder`, which is made when absent.
    ///
    /// # Errors
    /// When the directory cannot be read. A damaged file is left alone, logged, and names nothing.
    pub fn open(folder: &Path) -> Result<Parsers, StoreError> {
        Parsers::open_in(NamedFiles::open(folder, KIND)?, NamedFiles::open(folder, DEFAULT_KIND)?)
    }

    fn open_in(files: NamedFiles, default_file: NamedFiles) -> Result<Parsers, StoreError> {
        let mut list = built_in::parsers();
        files.for_each(|name, content| match coding::decode(content) {
            Some((version, parser)) => {
                list.insert(name.to_owned(), Arc::new(StoredParser::new(name, version.max(1), parser)));
            }
            None => tracing::error!(name, "a parser is not there: its file is not one"),
        })?;
        let mut default = None;
        default_file.for_each(|_, content| {
            default = std::str::from_utf8(content).ok().map(Arc::from);
        })?;
        Ok(Parsers {
            files,
            default_file,
            list: RwLock::new(Arc::new(list)),
            default: RwLock::new(default),
            change: Mutex::new(()),
        })
    }

    /// The parsers there are now, those built in included.
    #[must_use]
    pub fn list(&self) -> Arc<ParserMap> {
        Arc::clone(&self.list.read())
    }

    /// The parser called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<StoredParser>> {
        self.list.read().get(name).cloned()
    }

    /// The parser called `name`, to be run; `None`: there is none.
    #[must_use]
    pub fn chosen(&self, name: &str, known: &Known) -> Option<Chosen> {
        let stored = self.get(name)?;
        let program = stored.program(known).map_err(|faults| Arc::from(faults.to_string()));
        Some(Chosen::new(&stored.name, &stored.parser, program))
    }

    /// Takes a parser, in place of one of the same name; durable when it returns. It has to compile and to pass its test
    /// cases, or be forced.
    ///
    /// # Errors
    /// When the name cannot be one, the text is no parser or too long, a test case fails, there are too many parsers or
    /// test cases, or it cannot be written.
    pub fn put(&self, name: &str, parser: Parser, trial: &Trial) -> Result<Put, ParserError> {
        if !NamedFiles::is_name(name) {
            return Err(ParserError::Name(name.to_owned()));
        }
        let (bytes, limit) = (parser.text.len(), trial.limits.max_bytes);
        if bytes > limit {
            return Err(ParserError::TooLong { bytes, limit });
        }
        if parser.tests.len() > MAX_CASES {
            return Err(ParserError::TooManyCases);
        }
        let (failures, faults) = check(name, &parser, trial)?;
        let _changing = self.change.lock();
        let mut list = ParserMap::clone(&self.list());
        let known = list.get(name).filter(|known| !known.is_built_in());
        if known.is_none() && list.values().filter(|one| !one.is_built_in()).count() >= MAX_PARSERS {
            return Err(ParserError::TooMany);
        }
        let is_new = known.is_none();
        let version = known.map_or(0, |known| known.version) + 1;
        let content = coding::encode(version, &parser);
        if content.len() > MAX_PARSER_BYTES {
            return Err(ParserError::TooLong { bytes: content.len(), limit: MAX_PARSER_BYTES });
        }
        self.files.put(name, &content)?;
        let parser = Arc::new(StoredParser::new(name, version, parser));
        list.insert(name.to_owned(), Arc::clone(&parser));
        *self.list.write() = Arc::new(list);
        Ok(Put { parser, is_new, failures, faults })
    }

    /// Takes a parser away; one built in of the same name is there again. False when there is none of that name.
    ///
    /// # Errors
    /// When it is built in, or its file cannot be removed.
    pub fn remove(&self, name: &str) -> Result<bool, ParserError> {
        let _changing = self.change.lock();
        let mut list = ParserMap::clone(&self.list());
        match list.remove(name) {
            None => return Ok(false),
            Some(known) if known.is_built_in() => return Err(ParserError::BuiltIn(name.to_owned())),
            Some(_) => {}
        }
        self.files.remove(name)?;
        list.extend(built_in::parsers().remove_entry(name));
        *self.list.write() = Arc::new(list);
        Ok(true)
    }

    /// The parser of events that name none.
    #[must_use]
    pub fn default(&self) -> Option<Arc<str>> {
        self.default.read().clone()
    }

    /// Says which parser events go through that name none; durable when it returns.
    ///
    /// # Errors
    /// When there is no such parser, or it cannot be written.
    pub fn set_default(&self, name: Option<&str>) -> Result<(), ParserError> {
        let _changing = self.change.lock();
        match name {
            Some(name) if self.get(name).is_none() => return Err(ParserError::Unknown(name.to_owned())),
            Some(name) => self.default_file.put(DEFAULT, name.as_bytes())?,
            None if self.default().is_none() => return Ok(()),
            None => self.default_file.remove(DEFAULT)?,
        }
        *self.default.write() = name.map(Arc::from);
        Ok(())
    }
}

/// Compiles a parser and runs its test cases: those that fail, and why it does not run yet. There are none unless it is
/// forced.
fn check(
    name: &str,
    parser: &Parser,
    trial: &Trial,
) -> Result<(Vec<Failure>, Option<Diagnostics>), ParserError> {
    let program = match stored::compile(parser, &trial.known) {
        Ok(program) => program,
        Err(faults) if faults.list.iter().any(|fault| FATAL.contains(&fault.code)) || !trial.is_forced => {
            return Err(faults.into());
        }
        Err(faults) => return Ok((Vec::new(), Some(faults))),
    };
    let chosen = Chosen::new(name, parser, Ok(program));
    let failures = cases::failures(&chosen, &parser.tests, &trial.limits, trial.now_nanos);
    match failures.is_empty() || trial.is_forced {
        true => Ok((failures, None)),
        false => Err(ParserError::Tests(failures)),
    }
}

#[cfg(test)]
mod tests;
