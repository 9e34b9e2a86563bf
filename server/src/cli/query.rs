//! `weir query`.

use std::process::ExitCode;

/// Arguments of `weir query`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
///
/// # Errors
/// Whatever went wrong, to be printed.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {} = args;
    anyhow::bail!("`weir query` is not part of this build")
}
