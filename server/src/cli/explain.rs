//! `weir explain`: the plan of a query, what it reads, and what an index may prune with.

use std::process::ExitCode;

use weir_query::compile::Options;
use weir_query::program::Program;

use super::text::{name_and_value, query_text};
use super::{EXIT_USAGE, output, terminal};

/// Arguments of `weir explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir explain 'service=cart /timeout after \\d+ms/ | count()'\n  weir explain - < query.cql"
)]
pub struct Args {
    /// The query, or `-` for standard input
    query: String,
    /// Value of a query parameter, as name=value; may be given several times
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    arguments: Vec<String>,
}

/// Prints the plan, or the faults on standard error with exit code 2.
///
/// # Errors
/// When standard input cannot be read.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let text = query_text(&args.query)?;
    let mut options = Options::default();
    for pair in &args.arguments {
        let (name, value) = name_and_value(pair)?;
        options.arguments.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    match Program::compile(&text, &options) {
        Ok(program) => {
            output::print(&format!("{}\n", program.describe().trim_end()))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => {
            eprintln!("{}", faults.render(&text, terminal::colour_err()).trim_end());
            Ok(ExitCode::from(EXIT_USAGE))
        }
    }
}
