//! A parser that is there to be used, compiled once for the tables and saved queries there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use weir_query::compile::Known;
use weir_query::error::Diagnostics;
use weir_query::program::Program;

use super::parser::Parser;

/// A parser with its name and version.
#[derive(Debug)]
pub struct StoredParser {
    /// Its name.
    pub name: Arc<str>,
    /// How many times it was changed, this form included; 0: it comes with the program.
    pub version: u64,
    /// The parser.
    pub parser: Parser,
    compiled: Mutex<Option<Compiled>>,
}

/// The program of a parser, and what it was compiled with.
#[derive(Debug)]
struct Compiled {
    known: Known,
    program: Result<Arc<Program>, Diagnostics>,
}

impl StoredParser {
    /// The parser `name`.
    #[must_use]
    pub fn new(name: &str, version: u64, parser: Parser) -> StoredParser {
        StoredParser { name: Arc::from(name), version, parser, compiled: Mutex::default() }
    }

    /// It comes with the program.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        self.version == 0
    }

    /// Its program; compiled again only when other tables or saved queries are there than last time.
    ///
    /// # Errors
    /// When it does not compile with these.
    pub fn program(&self, known: &Known) -> Result<Arc<Program>, Diagnostics> {
        let mut compiled = self.compiled.lock();
        if let Some(before) = compiled.as_ref().filter(|before| before.known.is_same(known)) {
            return before.program.clone();
        }
        let program = compile(&self.parser, known);
        *compiled = Some(Compiled { known: known.clone(), program: program.clone() });
        program
    }
}

/// Compiles a parser.
///
/// # Errors
/// Every fault found, each with its span.
pub(super) fn compile(parser: &Parser, known: &Known) -> Result<Arc<Program>, Diagnostics> {
    Program::parser(&parser.text, &known.options(&BTreeMap::new()))
}
