//! `weir docs`: the reference of the functions of the language, as it stands in the code.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use weir_query::reference::{entry, pages};
use weir_query::suggest::suggest;

use super::output;
use super::text::Usage;

/// Arguments of `weir docs`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir docs groupBy\n  weir docs > functions.md\n  weir docs --out reference"
)]
pub struct Args {
    /// One function; all of them where none is named
    function: Option<String>,
    /// Write a page a family into this directory, and an index
    #[arg(long, value_name = "DIR", conflicts_with = "function")]
    out: Option<PathBuf>,
}

/// Prints or writes it, as Markdown.
///
/// # Errors
/// When there is no such function, or a page cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let Some(name) = &args.function {
        let Some(text) = entry(name) else {
            let names = weir_query::functions::signatures().map(|signature| signature.name);
            let near =
                suggest(name, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            bail!(Usage(format!("there is no function `{name}`{near}")));
        };
        output::print(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(folder) = &args.out else {
        for page in pages() {
            output::print(&page.text)?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for page in pages() {
        let path = folder.join(&page.file);
        std::fs::write(&path, page.text).with_context(|| path.display().to_string())?;
    }
    output::print(&format!("{} pages in {}\n", pages().len(), folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
