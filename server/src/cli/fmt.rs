//! `weir fmt`: a query in its canonical form.

use std::process::ExitCode;

use weir_query::parser::parse_strict;
use weir_query::print::print;

use super::text::query_text;
use super::{EXIT_USAGE, output, terminal};

/// Arguments of `weir fmt`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  weir fmt 'level=ERROR|groupBy(service)'\n  weir fmt - < query.cql")]
pub struct Args {
    /// The query, or `-` for standard input
    query: String,
}

/// Prints the canonical form, or the faults on standard error with exit code 2.
///
/// # Errors
/// When standard input cannot be read.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let text = query_text(&args.query)?;
    match parse_strict(&text) {
        Ok(query) => {
            output::print(&format!("{}\n", print(&query).trim_end()))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => {
            eprintln!("{}", faults.render(&text, terminal::colour_err()).trim_end());
            Ok(ExitCode::from(EXIT_USAGE))
        }
    }
}
