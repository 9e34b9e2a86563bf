//! `weir query`: a query over files or standard input, without a server. Same decoders, same machine.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use jiff::tz::TimeZone;
use weir_engine::EventBatch;
use weir_engine::parsers::Chosen;
use weir_engine::scan::{DEFAULT_STATE_BYTES, Fold, Folded, query_context};
use weir_query::compile::{Ending, Options};
use weir_query::error::Diagnostics;
use weir_query::machine::Context;
use weir_query::program::Program;
use weir_query::result::ResultTable;
use weir_query::table::Table;

use super::output::{Format, Printer, printed};
use super::parser::{load, parsed};
use super::text::{Usage, name_and_value, query_text};
use super::{EXIT_USAGE, terminal};
use crate::clock::now_nanos;
use crate::decode::{self, DecodeLimits, DecodeOptions, guess};
use crate::encode::RowEncoder;
use crate::search::parse_time;

/// Encoded bytes that are printed at once.
const PRINT_BYTES: usize = 64 << 10;

/// Arguments of `weir query`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir query 'level=ERROR | groupBy(service)' app.ndjson\n  zcat old.log.gz | weir query '/timeout after (?<ms>\\d+)/ | max(ms)'\n  weir query --format table 'top(status)' access.csv\n  weir query --parser accesslog 'top(statuscode)' access.log"
)]
pub struct Args {
    /// The query in CQL, or `-` for standard input
    query: String,
    /// Files to look at: NDJSON, JSON, CSV or text, plain, gzip or zstd; standard input when none or `-`
    files: Vec<PathBuf>,
    /// From when: relative (`24h`), RFC 3339 or epoch milliseconds
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    start: Option<String>,
    /// Until when, as --start
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    end: Option<String>,
    /// The field that holds an event's time
    #[arg(long, value_name = "FIELD")]
    timestamp_field: Option<String>,
    /// Value of a query parameter, as name=value; may be given several times
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    arguments: Vec<String>,
    /// A lookup table: a CSV or JSON file, called by its file name; may be given several times
    #[arg(long = "table", value_name = "FILE")]
    tables: Vec<PathBuf>,
    /// Run a parser over the events first: the name of one that is built in, or a file with its text
    #[arg(long, value_name = "NAME|FILE")]
    parser: Option<String>,
    #[arg(skip)]
    loaded: Option<Chosen>,
    /// How to print the rows
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
}

/// Runs the query and prints its rows.
///
/// # Errors
/// When a file cannot be read. A wrong query is printed and gives exit code 2.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let text = query_text(&args.query)?;
    let mut options = Options { ending: Ending::Stream, ..Options::default() };
    for pair in &args.arguments {
        let (name, value) = name_and_value(pair)?;
        options.arguments.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    for file in &args.tables {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
        let table = Table::read(&name, &bytes).with_context(|| file.display().to_string())?;
        Arc::make_mut(&mut options.tables).insert(name, Arc::new(table));
    }
    let program = match Program::compile(&text, &options) {
        Ok(program) => program,
        Err(faults) => {
            eprintln!("{}", faults.render(&text, terminal::colour_err()).trim_end());
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    let mut args = args;
    if let Some(parser) = &args.parser {
        match load(parser)? {
            Ok(loaded) => args.loaded = Some(loaded.chosen),
            Err(code) => return Ok(code),
        }
    }
    let now_nanos = now_nanos();
    let context = context(&args, now_nanos)?;
    let found = if !program.queries().is_empty() {
        fold_with_queries(&args, (&text, &program), &context)?
    } else if program.creates_events() {
        // Nothing is read.
        fold_held(&program, context, &[])?
    } else if program.charts_time() && is_open(&context) {
        fold_held(&program, context, &read_all(&args, now_nanos)?)?
    } else {
        let fold = start(&program, &context);
        read(&args, now_nanos, &mut |batch| fold.push(batch))?;
        fold.finish()?
    };
    print(&found, args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Queries inside go through all events before the query itself does, so they are held meanwhile.
fn fold_with_queries(
    args: &Args,
    (text, program): (&str, &Arc<Program>),
    context: &Context,
) -> anyhow::Result<Folded> {
    let shown = |faults: Diagnostics| Usage(faults.narrowed(text).render(text, terminal::colour_err()));
    let batches = read_all(args, context.now_millis.saturating_mul(1_000_000))?;
    let (mut tables, mut warnings): (Vec<Arc<Table>>, Vec<String>) = (Vec::new(), Vec::new());
    for (number, query) in program.queries().iter().enumerate() {
        if let Some(repository) = &query.repository {
            bail!(Usage(format!(
                "there is no repository `{repository}` for `{}`: these are files",
                query.name
            )));
        }
        let Some(inner) = program.query(number, &tables, &|| false) else { break };
        let found = fold_held(&inner.map_err(shown)?, query_context(query, context)?, &batches)?;
        let told = found.tables.iter().flat_map(|table| &table.warnings);
        warnings.extend(told.map(|warning| format!("{}: {warning}", query.name)));
        if found.rows.len() >= query.limit {
            warnings.push(format!("{}: only {} rows are taken; there may be more", query.name, query.limit));
        }
        let rows: Vec<(usize, usize)> =
            found.rows.iter().map(|(table, row)| (*table, *row as usize)).take(query.limit).collect();
        tables.push(Arc::new(Table::of_result(query, ResultTable::pick(&found.tables, &rows))?));
    }
    let program = program.with_tables(&tables, warnings, &|| false).map_err(shown)?;
    fold_held(&program, context.clone(), &batches)
}

fn start(program: &Arc<Program>, context: &Context) -> Fold {
    Fold::start(program, context, std::thread::available_parallelism().map_or(1, usize::from))
}

/// Every batch there is.
fn read_all(args: &Args, now_nanos: i64) -> anyhow::Result<Vec<Arc<EventBatch>>> {
    let mut batches = Vec::new();
    read(args, now_nanos, &mut |batch| {
        batches.push(batch);
        true
    })?;
    Ok(batches)
}

/// Runs `program` over `batches`, which are all there are.
fn fold_held(
    program: &Arc<Program>,
    context: Context,
    batches: &[Arc<EventBatch>],
) -> anyhow::Result<Folded> {
    let context = match () {
        () if program.creates_events() => of_the_moment(context),
        () if program.charts_time() && is_open(&context) => of_events(context, batches),
        () => context,
    };
    let fold = start(program, &context);
    let _ = batches.iter().all(|batch| fold.push(Arc::clone(batch)));
    Ok(fold.finish()?)
}

/// Its time range has a side without an end.
fn is_open(context: &Context) -> bool {
    context.start_nanos == i64::MIN || context.end_nanos == i64::MAX
}

/// A chart over all time of events that a query makes itself is one of the moment they are made in.
fn of_the_moment(context: Context) -> Context {
    let mut context = context;
    let moment = context.now_millis.saturating_mul(1_000_000);
    if context.start_nanos == i64::MIN {
        context.start_nanos = moment.min(context.end_nanos.saturating_sub(1));
    }
    if context.end_nanos == i64::MAX {
        context.end_nanos = moment.max(context.start_nanos).saturating_add(1);
    }
    context
}

/// A chart over all time is drawn over the time there are events from, which is known once all are read.
fn of_events(context: Context, batches: &[Arc<EventBatch>]) -> Context {
    let mut context = context;
    let range = context.start_nanos..context.end_nanos;
    let times = batches.iter().flat_map(|batch| (0..batch.len()).map(|row| batch.timestamp(row)));
    let (first, last) = times
        .filter(|time| range.contains(time))
        .fold((i64::MAX, i64::MIN), |(first, last), time| (first.min(time), last.max(time)));
    if first <= last {
        context.start_nanos = context.start_nanos.max(first);
        context.end_nanos = context.end_nanos.min(last.saturating_add(1));
    }
    context
}

fn context(args: &Args, now_nanos: i64) -> anyhow::Result<Context> {
    let time = |flag: &str, text: &Option<String>, absent: i64| {
        let wrong = |error| Usage(format!("{flag}: {error}"));
        let parse = |text: &String| parse_time(text, now_nanos, &TimeZone::UTC).map_err(wrong);
        text.as_ref().map_or(Ok(absent), parse)
    };
    Ok(Context {
        now_millis: now_nanos.div_euclid(1_000_000),
        start_nanos: time("--start", &args.start, i64::MIN)?,
        end_nanos: time("--end", &args.end, i64::MAX)?,
        timezone: String::new(),
        max_state_bytes: DEFAULT_STATE_BYTES,
        ..Context::default()
    })
}

/// Decodes every file in turn and hands each batch to `take`, until that says false. Sequences count through all of them, as if they had arrived one after another.
fn read(args: &Args, now_nanos: i64, take: &mut dyn FnMut(Arc<EventBatch>) -> bool) -> anyhow::Result<()> {
    let options = DecodeOptions {
        limits: DecodeLimits::for_files(),
        timestamp_field: args.timestamp_field.clone(),
        as_text: args.loaded.is_some(),
        arrival_nanos: now_nanos,
        ..DecodeOptions::default()
    };
    let mut sequence = 0;
    let mut too_large = None;
    let standard_input = [PathBuf::from("-")];
    let files = if args.files.is_empty() { &standard_input[..] } else { &args.files };
    for file in files {
        let mut emit = |decoded: decode::Decoded| {
            for refused in &decoded.rejected {
                let (reason, excerpt) = (&refused.reason, terminal::safe(&refused.excerpt));
                eprintln!("{}: event {}: {reason}: {excerpt}", file.display(), refused.index);
            }
            let batch = match &args.loaded {
                None => decoded.batch,
                Some(parser) => match parsed(parser, &decoded.batch) {
                    Ok(parsed) => parsed.batch,
                    Err(error) => {
                        too_large = Some(error);
                        return ControlFlow::Break(());
                    }
                },
            };
            let count = batch.len() as u64;
            let batch = batch.with_sequence(sequence);
            sequence += count;
            if take(Arc::new(batch)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        read_file(file, &options, &mut emit).with_context(|| file.display().to_string())?;
        if let Some(error) = too_large {
            return Err(error).with_context(|| file.display().to_string());
        }
    }
    Ok(())
}

/// Decodes a file, or standard input.
pub(super) fn read_file(
    file: &Path,
    options: &DecodeOptions,
    emit: &mut dyn FnMut(decode::Decoded) -> ControlFlow<()>,
) -> anyhow::Result<()> {
    let is_input = file.as_os_str() == "-";
    let mut source: Box<dyn Read> = match is_input {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(BufReader::new(File::open(file)?)),
    };
    let mut front = Vec::new();
    source.by_ref().take(4).read_to_end(&mut front)?;
    let mut guessed = guess((!is_input).then_some(file), &front);
    if options.as_text && matches!(guessed.format, decode::Format::Csv(_)) {
        // A parser is for lines.
        guessed.format = decode::Format::Text;
    }
    let whole = Box::new(Cursor::new(front).chain(source));
    Ok(decode::decode_stream(whole, guessed.encoding, guessed.format, options, emit)?)
}

fn print(found: &Folded, format: Format) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut printer = Printer::new(format);
    let mut encoder = RowEncoder::new(format.form());
    let mut encoded = Vec::new();
    for run in found.rows.chunk_by(|one, next| one.0 == next.0) {
        let table = run.first().and_then(|(table, _)| found.tables.get(*table));
        let rows: Vec<u32> = run.iter().map(|(_, row)| *row).collect();
        if let Some(table) = table {
            encoder.rows(table, &rows, &mut encoded);
        }
        if encoded.len() >= PRINT_BYTES {
            printed(printer.copy(encoded.as_slice(), &mut out, false))?;
            encoded.clear();
        }
    }
    encoder.finish(&mut encoded);
    printed(printer.copy(encoded.as_slice(), &mut out, false).and_then(|()| printer.finish(&mut out)))?;
    for warning in found.tables.iter().flat_map(|table| &table.warnings) {
        eprintln!("weir: {warning}");
    }
    printed(out.flush())
}
