//! Parsers as programs.

use std::sync::Arc;

use super::Program;
use crate::compile::{Ending, Options};
use crate::error::Diagnostics;
use crate::plan;

impl Program {
    /// Compiles `text` as a parser: filters, `case` and transforms over single events, before they are stored. Its rows are
    /// had from [`crate::machine::Machine::select`]; those with the field [`plan::parser::mark`] are dropped.
    ///
    /// # Errors
    /// Every fault found, each with its span.
    pub fn parser(text: &str, options: &Options) -> Result<Arc<Program>, Diagnostics> {
        let options =
            Options { is_parser: true, is_standing: false, ending: Ending::Stream, ..options.clone() };
        let parsed = crate::parser::parse(text);
        if !parsed.diagnostics.list.is_empty() {
            return Err(parsed.diagnostics);
        }
        let plan = plan::parser::prepare(plan::lower(&parsed.query, &options)?)?;
        let mut program = Program::from_plan(&plan, options.ending)?;
        program.searches_written = true;
        Ok(Arc::new(program))
    }
}
