//! `weir serve`.

use std::process::ExitCode;

/// Arguments of `weir serve`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
///
/// # Errors
/// Whatever went wrong, to be printed.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {} = args;
    anyhow::bail!("`weir serve` is not part of this build")
}
