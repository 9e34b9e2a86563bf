//! `weir search`: a query against a server, its rows printed as they come.

use std::io::BufReader;
use std::process::ExitCode;

use super::client::{Client, Refused, ServerArgs, path_segment};
use super::output::{Format, Printer, printed};
use super::text::{Usage, name_and_value, query_text};
use super::{EXIT_USAGE, terminal};

/// Arguments of `weir search`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir search 'level=ERROR | groupBy(service)'\n  weir search --start 1h --format table 'status>=500 | top(path)'\n  weir search --live 'payments timeout'"
)]
pub struct Args {
    /// The query in CQL, or `-` for standard input
    query: String,
    #[command(flatten)]
    server: ServerArgs,
    /// From when: relative (`24h`), RFC 3339 or epoch milliseconds
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    start: Option<String>,
    /// Until when, as --start
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    end: Option<String>,
    /// Keep following new matches
    #[arg(long, conflicts_with = "end")]
    live: bool,
    /// Value of a query parameter, as name=value; may be given several times
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    arguments: Vec<String>,
    /// How to print the rows
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
}

/// Runs the query and prints its rows.
///
/// # Errors
/// When the server cannot be reached or fails. A wrong query is printed and gives exit code 2.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.live && args.format == Format::Table {
        let message = "a table is printed at the end, and --live has none: use --format ndjson or csv";
        return Err(Usage(message.to_owned()).into());
    }
    let client = Client::new(&args.server);
    let path = format!("/api/v1/repositories/{}/query", path_segment(&args.server.repository));
    let body = serde_json::to_vec(&request(&args)?)?;
    let headers = [("Content-Type", "application/json"), ("Accept", args.format.form().media_type())];
    match client.post(&path, &headers, &body) {
        Ok(mut answer) => {
            let (mut out, mut printer) = (std::io::stdout().lock(), Printer::new(args.format));
            let copied = printer.copy(BufReader::new(&mut answer), &mut out, args.live);
            // What came before an answer broke off is shown all the same.
            let finished = printer.finish(&mut out);
            printed(copied.and(finished))?;
            for warning in &answer.warnings {
                eprintln!("weir: {}", terminal::safe(warning));
            }
            if answer.partial {
                eprintln!("weir: the result is partial");
            }
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

fn request(args: &Args) -> anyhow::Result<serde_json::Value> {
    let mut arguments = serde_json::Map::new();
    for pair in &args.arguments {
        let (name, value) = name_and_value(pair)?;
        arguments.insert(name.to_owned(), value.into());
    }
    let mut request = serde_json::json!({ "queryString": query_text(&args.query)?, "isLive": args.live, "arguments": arguments });
    if let Some(fields) = request.as_object_mut() {
        for (name, value) in [("start", &args.start), ("end", &args.end)] {
            value.as_ref().map(|value| fields.insert(name.to_owned(), value.as_str().into()));
        }
        if args.start.is_none() && !args.live {
            // A person who names no time wants everything there is, not the API's last 24 hours.
            fields.insert("start".to_owned(), 0.into());
        }
    }
    Ok(request)
}
