//! `weir explain`: the plan of a query, what it reads, and what facts and index leave of a repository.

use std::io::Read;
use std::process::ExitCode;

use serde_json::Value;
use weir_query::compile::Options;
use weir_query::program::Program;

use super::client::{Client, Refused, ServerArgs, path_segment};
use super::text::{name_and_value, query_text};
use super::{EXIT_USAGE, output, terminal};

/// Arguments of `weir explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir explain 'service=cart /timeout after \\d+ms/ | count()'\n  weir explain - < query.cql\n  weir explain --pruned --start 7d '\"card expired\" | count()'"
)]
pub struct Args {
    /// The query, or `-` for standard input
    query: String,
    /// Value of a query parameter, as name=value; may be given several times
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    arguments: Vec<String>,
    /// Also ask the server what facts and index leave of the repository for this query
    #[arg(long)]
    pruned: bool,
    #[command(flatten)]
    server: ServerArgs,
    /// With --pruned, from when: relative (`24h`), RFC 3339 or epoch milliseconds
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, requires = "pruned")]
    start: Option<String>,
    /// With --pruned, until when, as --start
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, requires = "pruned")]
    end: Option<String>,
}

/// Prints the plan, or the faults on standard error with exit code 2.
///
/// # Errors
/// When standard input cannot be read, or the server cannot be reached or refuses.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let text = query_text(&args.query)?;
    let mut options = Options::default();
    for pair in &args.arguments {
        let (name, value) = name_and_value(pair)?;
        options.arguments.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    let program = match Program::compile(&text, &options) {
        Ok(program) => program,
        Err(faults) => {
            eprintln!("{}", faults.render(&text, terminal::colour_err()).trim_end());
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    output::print(&format!("{}\n", program.describe().trim_end()))?;
    if !args.pruned {
        return Ok(ExitCode::SUCCESS);
    }
    match ask(&args, &text, &options) {
        Ok(found) => {
            output::print(&pruned(&found))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(refused) if refused.status == 400 => {
                eprintln!("{}", refused.message);
                Ok(ExitCode::from(EXIT_USAGE))
            }
            _ => Err(error),
        },
    }
}

fn ask(args: &Args, text: &str, options: &Options) -> anyhow::Result<Value> {
    let arguments: serde_json::Map<String, Value> = options
        .arguments
        .iter()
        .filter_map(|(name, values)| Some((name.clone(), Value::from(values.last()?.as_str()))))
        .collect();
    let body = serde_json::json!({
        "queryString": text, "start": args.start, "end": args.end, "arguments": arguments,
    });
    let path = format!("/api/v1/repositories/{}/explain", path_segment(&args.server.repository));
    let headers = [("Content-Type", "application/json")];
    let mut answer = Vec::new();
    Client::new(&args.server).post(&path, &headers, &serde_json::to_vec(&body)?)?.read_to_end(&mut answer)?;
    Ok(serde_json::from_slice(&answer)?)
}

/// What a server answered, in lines.
fn pruned(found: &Value) -> String {
    let number = |name: &str| found.get(name).and_then(Value::as_u64).unwrap_or(0);
    let of = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    let (granules, left) = (number("granules"), number("granulesLeft"));
    let (stored, index) = (number("storedBytes"), number("indexBytes"));
    let mut out = format!(
        "segments: {}, blocks: {} of {} left, unsealed events: {}\n",
        number("segments"),
        number("blocksLeft"),
        number("blocks"),
        number("headEvents")
    );
    if number("segmentsLeftOut") > 0 {
        out += &format!("the time was up: {} segments were not looked at\n", number("segmentsLeftOut"));
    }
    out += &format!(
        "granules: {granules}; ruled out by time {}, by facts {}, by the index {}; left {left} ({:.2} %)\n",
        number("granulesPrunedByTime"),
        number("granulesPrunedByFacts"),
        number("granulesPrunedByIndex"),
        of(left, granules)
    );
    if let Some(live) = found.get("live") {
        out += &format!(
            "live: shares the states of {} metrics; events come by: {}\n",
            live.get("sharedBy").and_then(Value::as_u64).unwrap_or(0),
            live.get("access").and_then(Value::as_str).unwrap_or_default()
        );
    }
    out += &format!(
        "index: {index} bytes, {:.1} % of the segments and {:.2} % of the raw text; looked at in {} us\n",
        of(index, stored),
        of(index, number("rawBytes")),
        number("tookMicros")
    );
    out
}
