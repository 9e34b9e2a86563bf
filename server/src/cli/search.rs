//! `weir search`.

use std::process::ExitCode;

/// Arguments of `weir search`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
///
/// # Errors
/// Whatever went wrong, to be printed.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {} = args;
    anyhow::bail!("`weir search` is not part of this build")
}
