//! `weir serve`: the server, until SIGTERM or SIGINT.

use std::path::PathBuf;
use std::process::ExitCode;

use super::output::print;
use crate::run::run_until_signal;
use crate::settings::{Layers, LogFormat, Settings};

/// Arguments of `weir serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir serve
  weir serve --listen 127.0.0.1:9000 --data /var/lib/weir
  weir serve --set query.timeout_millis=30000 --set storage.level=os
  weir serve --print-config > weir.toml

Every setting can also be given as WEIR_SECTION_KEY in the environment: WEIR_QUERY_TIMEOUT_MILLIS=30000.
Weakest first: defaults, weir.toml, environment, flags.")]
pub struct Args {
    /// Address and port to listen on [default: 127.0.0.1:9480]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Directory of the store [default: ./weir-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Configuration file [default: ./weir.toml, where it exists]
    #[arg(long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
    /// Form of the server's own log
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
    /// What the server logs: `info`, `weir_server=debug,info`
    #[arg(long, value_name = "DIRECTIVES")]
    log: Option<String>,
    /// Listen off loopback without tokens: anyone who reaches the port may read and write everything
    #[arg(long)]
    insecure_allow_remote: bool,
    /// Any setting, by its name in weir.toml
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Print the configuration in effect, as weir.toml, and exit
    #[arg(long)]
    print_config: bool,
}

impl Args {
    /// The layers these arguments stand for, over the environment.
    ///
    /// # Errors
    /// When a `--set` has no `=`.
    pub fn layers(&self) -> anyhow::Result<Layers> {
        let mut flags = Vec::new();
        for pair in &self.set {
            let Some((key, value)) = pair.split_once('=') else {
                anyhow::bail!("--set {pair}: expected SECTION.KEY=VALUE");
            };
            flags.push((key.trim().to_owned(), value.to_owned()));
        }
        let mut put = |key: &str, value: Option<String>| {
            flags.extend(value.map(|value| (key.to_owned(), value)));
        };
        put("listen", self.listen.clone());
        put("data", self.data.as_ref().map(|path| path.to_string_lossy().into_owned()));
        put("log.filter", self.log.clone());
        put("log.format", self.log_format.map(|format| format!("{format:?}").to_lowercase()));
        put("insecure_allow_remote", self.insecure_allow_remote.then(|| "true".to_owned()));
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(Layers { file: self.config.clone(), environment, flags })
    }
}

/// Runs the server.
///
/// # Errors
/// When the configuration is wrong, the data directory cannot be opened, or the address is taken.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let settings: Settings = args.layers()?.load()?;
    if args.print_config {
        print(&toml::to_string(&settings)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    run_until_signal(settings)?;
    Ok(ExitCode::SUCCESS)
}
