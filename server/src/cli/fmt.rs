//! `weir fmt`: queries in their canonical form; comments stay.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use weir_query::error::Diagnostics;
use weir_query::parser::parse_strict;
use weir_query::print::print;

use super::text::{query_text, read_query_file};
use super::{EXIT_USAGE, output, terminal};

/// Arguments of `weir fmt`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir fmt 'level=ERROR|groupBy(service)'\n  weir fmt - < query.cql\n  weir fmt --file errors.cql --file slow.cql\n  weir fmt --check --file errors.cql\n\nExit code 0: done; 1: with --check, something is not in its canonical form; 2: something is no query."
)]
pub struct Args {
    /// The query, or `-` for standard input
    #[arg(required_unless_present = "files", conflicts_with = "files")]
    query: Option<String>,
    /// A file with one query, written in place; may be given several times
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write nothing: name what is not in its canonical form
    #[arg(long)]
    check: bool,
}

/// Prints or writes canonical forms; faults go to standard error, with exit code 2.
///
/// # Errors
/// When standard input or a file cannot be read or written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(query) = &args.query else { return files(&args) };
    let text = query_text(query)?;
    let form = match canonical(&text) {
        Ok(form) => form,
        Err(faults) => {
            eprintln!("{}", faults.render(&text, terminal::colour_err()).trim_end());
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    if !args.check {
        output::print(&form)?;
    } else if form.trim_end() != text.trim_end_matches('\n') {
        eprintln!("the query is not in its canonical form");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The canonical form as a file has it: one line break at its end.
fn canonical(text: &str) -> Result<String, Diagnostics> {
    Ok(format!("{}\n", print(&parse_strict(text)?).trim_end()))
}

/// Writes the canonical form of each file that has another, and names it.
fn files(args: &Args) -> anyhow::Result<ExitCode> {
    let (mut differ, mut wrong) = (false, false);
    for file in &args.files {
        let text = read_query_file(file)?;
        match canonical(&text) {
            Ok(form) if form == text => {}
            Ok(form) => {
                differ = true;
                output::print(&format!("{}\n", file.display()))?;
                if !args.check {
                    std::fs::write(file, form).with_context(|| file.display().to_string())?;
                }
            }
            Err(faults) => {
                wrong = true;
                eprintln!("{}:\n{}", file.display(), faults.render(&text, terminal::colour_err()).trim_end());
            }
        }
    }
    Ok(match () {
        () if wrong => ExitCode::from(EXIT_USAGE),
        () if differ && args.check => ExitCode::FAILURE,
        () => ExitCode::SUCCESS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_on(file: &std::path::Path, check: bool) -> ExitCode {
        run(Args { query: None, files: vec![file.to_owned()], check }).unwrap()
    }

    #[test]
    fn files_are_written_once_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.cql");
        std::fs::write(&file, "// errors\nlevel=ERROR|groupBy(service) // by service").unwrap();
        // Exit codes have no equality: what they print says which they are.
        let told = |code: ExitCode| format!("{code:?}");
        assert_eq!(told(run_on(&file, true)), told(ExitCode::FAILURE));
        assert_eq!(told(run_on(&file, false)), told(ExitCode::SUCCESS));
        let form = std::fs::read_to_string(&file).unwrap();
        assert_eq!(form, "// errors\nlevel=ERROR\n| groupBy(service) // by service\n");
        assert_eq!(told(run_on(&file, true)), told(ExitCode::SUCCESS));
        std::fs::write(&file, "level=(").unwrap();
        assert_eq!(told(run_on(&file, false)), told(ExitCode::from(EXIT_USAGE)));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "level=(");
    }
}
