//! The command line: one module a subcommand, each with its arguments and a `run`.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage or a wrong query.

pub mod check;
pub mod client;
pub mod completions;
pub mod demo;
pub mod docs;
pub mod explain;
pub mod fmt;
pub mod generate;
pub mod ingest;
pub mod output;
pub mod package;
pub mod parser;
pub mod query;
pub mod search;
pub mod serve;
pub mod table;
pub mod terminal;
mod text;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The exit code of wrong usage and of queries that do not compile; clap uses the same.
pub const EXIT_USAGE: u8 = 2;

/// A log store that measures the stream and holds the pool.
#[derive(Debug, Parser)]
#[command(name = "weir", version, about, max_term_width = 110, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(serve::Args),
    /// Run a server with a live stream of realistic events, and show live metrics
    Demo(demo::Args),
    /// Run a query over files or standard input, without a server
    Query(query::Args),
    /// Search a server
    Search(search::Args),
    /// Send files to a server
    Ingest(ingest::Args),
    /// Write a seeded data set
    Generate(generate::Args),
    /// Print a query in its canonical form
    Fmt(fmt::Args),
    /// Print the plan of a query
    Explain(explain::Args),
    /// List parsers, show one, try one on samples
    Parser(parser::Args),
    /// Print or write the reference of the query language's functions
    Docs(docs::Args),
    /// Check or import a package: queries, dashboards, alerts, parsers, lookup files
    Package(package::Args),
    /// Verify a data directory
    Check(check::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
}

/// Parses the command line, runs the subcommand, prints its failure.
#[must_use]
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("weir: {error:#}");
            if error.is::<text::Usage>() { ExitCode::from(EXIT_USAGE) } else { ExitCode::FAILURE }
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Query(args) => query::run(args),
        Command::Search(args) => search::run(args),
        Command::Ingest(args) => ingest::run(args),
        Command::Generate(args) => generate::run(args),
        Command::Fmt(args) => fmt::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Parser(args) => parser::run(args),
        Command::Docs(args) => docs::run(args),
        Command::Package(args) => package::run(args),
        Command::Check(args) => check::run(args),
        Command::Completions(args) => completions::run(args),
    }
}
