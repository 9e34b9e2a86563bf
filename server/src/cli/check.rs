//! `weir check`: verifies a data directory that no server has open.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use weir_engine::store::check::{CheckReport, Severity, check, is_store};
use weir_engine::store::files::Files;

use super::{output, terminal};

/// Arguments of `weir check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 0: nothing is lost or unreadable; 1: something is.")]
pub struct Args {
    /// The data directory
    #[arg(long, value_name = "DIR", default_value = "./weir-data")]
    data: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Verifies and prints what was found.
///
/// # Errors
/// When there is no data directory, a server has it open, or its catalog cannot be read at all.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    if !args.data.is_dir() {
        bail!("{} is no directory", args.data.display());
    }
    let files = Files::real(&args.data).with_context(|| args.data.display().to_string())?;
    if !is_store(&files)? {
        bail!("{} is no Weir store: it has no catalog", args.data.display());
    }
    let Some(_lock) = files.lock()? else {
        bail!("{} is open in a running server; stop it first", args.data.display());
    };
    let report = check(&files)?;
    if args.json {
        output::print(&format!("{}\n", json(&report)))?;
    } else {
        output::print(&text(&report))?;
    }
    Ok(if report.is_healthy() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(report: &CheckReport) -> String {
    let mut text = format!(
        "{} repositories, {} segments with {} rows, {} log files with {} batches of {} events, {} bytes\n",
        report.repositories,
        report.segments,
        report.rows,
        report.log_files,
        report.log_batches,
        report.log_events,
        report.bytes
    );
    for finding in &report.findings {
        let (path, message) = (terminal::safe(&finding.path), terminal::safe(&finding.message));
        text.push_str(&format!("{}: {path}: {message}\n", severity(finding.severity)));
    }
    text.push_str(if report.is_healthy() { "healthy\n" } else { "damaged\n" });
    text
}

fn json(report: &CheckReport) -> serde_json::Value {
    let findings = report.findings.iter().map(|finding| {
        serde_json::json!({
            "severity": severity(finding.severity),
            "path": finding.path,
            "message": finding.message,
        })
    });
    serde_json::json!({
        "healthy": report.is_healthy(),
        "repositories": report.repositories,
        "segments": report.segments,
        "rows": report.rows,
        "log_files": report.log_files,
        "log_batches": report.log_batches,
        "log_events": report.log_events,
        "bytes": report.bytes,
        "findings": findings.collect::<Vec<_>>(),
    })
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        _ => "damage",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_no_store_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let error = run(Args { data: folder.path().to_owned(), json: false }).unwrap_err();
        assert!(error.to_string().contains("no Weir store"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
