//! `weir generate`.

use std::process::ExitCode;

/// Arguments of `weir generate`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
///
/// # Errors
/// Whatever went wrong, to be printed.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {} = args;
    anyhow::bail!("`weir generate` is not part of this build")
}
