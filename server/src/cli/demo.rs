//! `weir demo`.

use std::process::ExitCode;

/// Arguments of `weir demo`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
///
/// # Errors
/// Whatever went wrong, to be printed.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {} = args;
    anyhow::bail!("`weir demo` is not part of this build")
}
