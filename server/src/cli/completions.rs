//! `weir completions`: a completion script on standard output.

use std::process::ExitCode;

use clap::CommandFactory;

use super::output::print;

/// Arguments of `weir completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell to write for
    shell: clap_complete::Shell,
}

/// Writes the script.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut command = super::Cli::command();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "weir", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_consistent() {
        super::super::Cli::command().debug_assert();
    }

    #[test]
    fn variables_of_the_command_line_are_no_settings() {
        let command = super::super::Cli::command();
        let arguments = command.get_subcommands().flat_map(clap::Command::get_arguments);
        for name in arguments.filter_map(clap::Arg::get_env) {
            let known = crate::settings::NOT_SETTINGS.iter().any(|known| name == *known);
            assert!(known, "{name:?} would keep the server from starting");
        }
    }
}
