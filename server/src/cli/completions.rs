//! `weir completions`: a completion script on standard output.

use std::process::ExitCode;

use clap::CommandFactory;

/// Arguments of `weir completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell to write for
    shell: clap_complete::Shell,
}

/// Writes the script.
///
/// # Errors
/// Never; writing to a closed pipe ends the program as it does for any filter.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut command = super::Cli::command();
    clap_complete::generate(args.shell, &mut command, "weir", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_consistent() {
        super::super::Cli::command().debug_assert();
    }
}
