//! `weir parser`: the parsers that are built in, and any other tried on samples, without a server.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use weir_engine::EventBatch;
use weir_engine::event::{EventLimits, PushError};
use weir_engine::parsers::{
    Account, Chosen, Parsed, Parser, ParserLimits, StoredParser, built_in, failures, fields_of, parse,
};

use weir_query::compile::Known;

use super::query::read_file;
use super::text::Usage;
use super::{EXIT_USAGE, output, terminal};
use crate::clock::now_nanos;
use crate::decode::{DecodeLimits, DecodeOptions, Decoded};

/// Arguments of `weir parser`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

/// What to do with parsers.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the parsers that are built in
    List,
    /// Print the text of a parser that is built in
    Show {
        /// Its name
        name: String,
    },
    /// Run a parser over samples, and print the fields of each event as JSON; without samples, run its test cases
    #[command(
        after_help = "Examples:\n  weir parser test syslog /var/log/syslog\n  weir parser test my-parser.cql samples.txt\n  echo 'a=1 b=2' | weir parser test kv -\n  weir parser test accesslog"
    )]
    Test {
        /// The name of a parser that is built in, or a file with the text of one
        parser: String,
        /// Files with a sample a line, plain, gzip or zstd; `-` is standard input
        samples: Vec<PathBuf>,
    },
}

/// A parser to be run.
pub(super) struct Loaded {
    /// It, compiled.
    pub(super) chosen: Chosen,
    /// It, as it is kept.
    stored: Arc<StoredParser>,
}

/// Lists, shows or tries.
///
/// # Errors
/// When a file cannot be read, or there is no such parser. A text that is no parser is printed and gives exit code 2.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List => {
            let parsers = built_in::parsers();
            let line = |(name, stored): (&String, &Arc<StoredParser>)| {
                format!("{name:<12}{}\n", stored.parser.description)
            };
            output::print(&parsers.iter().map(line).collect::<String>())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Show { name } => {
            let parsers = built_in::parsers();
            let stored = parsers.get(&name).ok_or_else(|| Usage(format!("there is no parser `{name}`")))?;
            output::print(&stored.parser.text)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Test { parser, samples } => match load(&parser)? {
            Ok(loaded) if samples.is_empty() => test_cases(&loaded),
            Ok(loaded) => test(&loaded, &samples),
            Err(code) => Ok(code),
        },
    }
}

/// The parser that `argument` means: one that is built in, or the text in a file. A text that is no parser is printed.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn load(argument: &str) -> anyhow::Result<Result<Loaded, ExitCode>> {
    let known = built_in::parsers().remove(argument);
    let stored = match known.filter(|_| !Path::new(argument).is_file()) {
        Some(stored) => stored,
        None => {
            let text = std::fs::read_to_string(argument).with_context(|| argument.to_owned())?;
            let name = Path::new(argument).file_stem().unwrap_or_default().to_string_lossy();
            Arc::new(StoredParser::new(&name, 1, Parser { text, ..Parser::default() }))
        }
    };
    Ok(match stored.program(&Known::default()) {
        Ok(program) => Ok(Loaded { chosen: Chosen::new(&stored.name, &stored.parser, Ok(program)), stored }),
        Err(faults) => {
            eprintln!("{}", faults.render(&stored.parser.text, terminal::colour_err()).trim_end());
            Err(ExitCode::from(EXIT_USAGE))
        }
    })
}

/// What a parser makes of a batch.
///
/// # Errors
/// When it is too large for one batch.
pub(super) fn parsed(parser: &Chosen, batch: &EventBatch) -> Result<Parsed, PushError> {
    let (limits, event_limits) = (ParserLimits::default(), EventLimits::default());
    parse(batch, std::slice::from_ref(parser), &|_| Some(0), &limits, event_limits)
}

fn test_cases(loaded: &Loaded) -> anyhow::Result<ExitCode> {
    let cases = &loaded.stored.parser.tests;
    if cases.is_empty() {
        bail!(Usage("name a file with samples, or `-` for standard input".to_owned()));
    }
    let failures = failures(&loaded.chosen, cases, &ParserLimits::default(), now_nanos());
    let told: String = failures.iter().map(|failure| format!("{failure}\n")).collect();
    output::print(&format!("{told}{} of {} test cases pass\n", cases.len() - failures.len(), cases.len()))?;
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn test(loaded: &Loaded, samples: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let options = DecodeOptions {
        limits: DecodeLimits::for_files(),
        as_text: true,
        arrival_nanos: now_nanos(),
        ..DecodeOptions::default()
    };
    let mut sum = Account::default();
    for file in samples {
        let mut outcome: anyhow::Result<()> = Ok(());
        let mut emit = |decoded: Decoded| {
            outcome = print(&loaded.chosen, &decoded.batch, &mut sum);
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        read_file(file, &options, &mut emit).with_context(|| file.display().to_string())?;
        outcome.with_context(|| file.display().to_string())?;
    }
    eprintln!(
        "weir: {} samples: {} parsed, {} failed, {} dropped",
        sum.given, sum.parsed, sum.failed, sum.dropped
    );
    Ok(if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints what a parser makes of a batch, an event a line.
fn print(parser: &Chosen, batch: &EventBatch, sum: &mut Account) -> anyhow::Result<()> {
    let parsed = parsed(parser, batch)?;
    sum.given += parsed.account.given;
    sum.parsed += parsed.account.parsed;
    sum.failed += parsed.account.failed;
    sum.dropped += parsed.account.dropped;
    let mut lines = String::new();
    for row in 0..parsed.batch.len() {
        let fields: serde_json::Map<String, serde_json::Value> =
            fields_of(&parsed.batch, row).into_iter().map(|(name, value)| (name, value.into())).collect();
        lines.push_str(&serde_json::to_string(&fields)?);
        lines.push('\n');
    }
    output::print(&lines)
}
