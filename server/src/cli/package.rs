//! `weir package`: what of a package would run, and a package into a repository.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::client::{Client, ServerArgs, path_segment};
use super::text::Usage;
use super::{output, terminal};
use crate::package::{
    MAX_PACKAGE_BYTES, Package, PackageCheck, PackageFiles, is_archive, pack, read_folder, unpack,
};
use crate::wire::PackageReport;

/// Arguments of `weir package`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do with it
    #[command(subcommand)]
    command: Command,
}

/// What can be done with a package.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Compile every query of a package, with the saved queries and lookup files it has
    #[command(
        after_help = "Examples:\n  weir package check ./my-package\n  weir package check acme--web--1.0.0.zip --json\n\nExit code 0: every query runs; 1: some do not; 2: it is no package."
    )]
    Check {
        /// A folder or a ZIP archive
        package: PathBuf,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Take what a server has a home for, and say what is left out
    #[command(
        after_help = "Examples:\n  weir package import ./my-package\n  weir package import acme--web--1.0.0.zip -r web"
    )]
    Import {
        /// A folder or a ZIP archive
        package: PathBuf,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
}

/// Checks or imports a package.
///
/// # Errors
/// When it is no package, or the server cannot be reached or refuses.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Check { package, json } => check(&package, json),
        Command::Import { package, json, server } => import(&package, json, &server),
    }
}

fn files(path: &Path) -> anyhow::Result<PackageFiles> {
    let shown = || path.display().to_string();
    if path.is_dir() {
        return Ok(read_folder(path).map_err(|error| Usage(format!("{}: {error}", shown())))?);
    }
    let mut bytes = Vec::new();
    // A compressed package is smaller than what is in it, so this is no further limit.
    let file = File::open(path).with_context(shown)?;
    file.take(MAX_PACKAGE_BYTES as u64 + 1).read_to_end(&mut bytes).with_context(shown)?;
    if !is_archive(&bytes) {
        bail!(Usage(format!("{}: a package is a folder or a ZIP archive", shown())));
    }
    Ok(unpack(&bytes).map_err(|error| Usage(format!("{}: {error}", shown())))?)
}

fn check(path: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let package =
        Package::read(files(path)?).map_err(|error| Usage(format!("{}: {error}", path.display())))?;
    let found = PackageCheck::of(&package);
    let report = PackageReport::new(&found, None);
    output::print(&match json {
        true => format!("{}\n", serde_json::to_string_pretty(&report)?),
        false => lines(&serde_json::to_value(&report)?),
    })?;
    Ok(if found.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn import(path: &Path, json: bool, server: &ServerArgs) -> anyhow::Result<ExitCode> {
    // Sent as the package alone: what stands around it is nobody's business.
    let archive = pack(&files(path)?.into_package())?;
    let target = format!("/api/v1/repositories/{}/packages", path_segment(&server.repository));
    let headers = [("Content-Type", "application/zip")];
    let mut answer = Vec::new();
    Client::new(server).post(&target, &headers, &archive)?.read_to_end(&mut answer)?;
    let report: Value = serde_json::from_slice(&answer)?;
    output::print(&match json {
        true => format!("{}\n", serde_json::to_string_pretty(&report)?),
        false => lines(&report),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A report in lines. What a terminal would obey is shown as what it is: names come out of the package.
fn lines(report: &Value) -> String {
    let lines = told(report);
    lines.iter().map(|line| format!("{}\n", terminal::safe(line))).collect()
}

fn told(report: &Value) -> Vec<String> {
    let list =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or_default();
    let mut out = Vec::new();
    for item in list(report, "items") {
        let path = text(&item, "path");
        if let Some(fault) = item.get("fault").and_then(Value::as_str) {
            out.push(format!("{path}: {fault}"));
        }
        for query in list(&item, "queries") {
            let what = text(&query, "what");
            let what = if what.is_empty() { what } else { format!("{what}: ") };
            for fault in list(&query, "faults") {
                let column = match number(&fault, "column") {
                    0 => String::new(),
                    column => format!(":{column}"),
                };
                let hint = fault.get("hint").and_then(Value::as_str);
                let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
                let message = text(&fault, "message");
                out.push(format!("{path}:{}{column}: {what}{message}{hint}", number(&fault, "line")));
            }
            for need in list(&query, "needs").iter().filter_map(Value::as_str) {
                let line = number(&query, "line");
                out.push(format!("{path}:{line}: {what}wants the {need}, which is not in the package"));
            }
        }
    }
    for (name, word) in [("imported", "kept"), ("leftOut", "not kept")] {
        for one in list(report, name) {
            let kind = text(&one, "kind");
            let said = text(&one, if name == "imported" { "name" } else { "reason" });
            let kind = if kind.is_empty() { kind } else { format!(" {kind}") };
            let note = text(&one, "note");
            let note = if note.is_empty() { note } else { format!("; {note}") };
            out.push(format!("{word}:{kind} {}: {said}{note}", text(&one, "path")));
        }
    }
    let passed = list(report, "passed");
    for one in passed.iter().filter(|_| report.get("leftOut").is_none()) {
        out.push(format!("not read: {}: {}", text(one, "path"), text(one, "reason")));
    }
    let (name, version) = (text(report, "name"), text(report, "version"));
    out.push(format!(
        "{name} {version}: {} of {} queries run",
        number(report, "run"),
        number(report, "queries")
    ));
    out
}
