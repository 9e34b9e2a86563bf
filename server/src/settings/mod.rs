//! Configuration: a file, then the environment, then flags; every value has a default that works.
//!
//! ```text
//! defaults < weir.toml < WEIR_SECTION_KEY=… < --set section.key=…, --listen, --data
//! ```
//!
//! Every limit carries its unit in its name. Unknown keys are errors: a limit that is misspelt must not be
//! silently absent.

mod layers;
mod limits;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use layers::{Layers, NOT_SETTINGS, env_name};
pub use limits::{Connections, Dedupe, Ingest, Level, Parser, Query, Standing, Storage};

use crate::auth::TokenEntry;

/// Where the file is looked for when none is named.
pub const DEFAULT_FILE: &str = "weir.toml";

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `ADDRESS:PORT` to listen on. Off loopback it wants tokens.
    pub listen: String,
    /// Directory of the store; made when absent.
    pub data: PathBuf,
    /// Listen off loopback without tokens: anyone who reaches the port may read and write everything.
    pub insecure_allow_remote: bool,
    /// Host names, besides loopback ones, that requests may name while no tokens are set. A web page that has its
    /// own name resolve to this machine is refused.
    pub allowed_hosts: Vec<String>,
    /// What is logged and how.
    pub log: Log,
    /// Limits of connections.
    pub connections: Connections,
    /// Limits of ingest.
    pub ingest: Ingest,
    /// Limits of parsers.
    pub parser: Parser,
    /// Limits of queries.
    pub query: Query,
    /// Limits of standing metrics and their readers.
    pub standing: Standing,
    /// The store.
    pub storage: Storage,
    /// Who may do what; empty: everyone who reaches the port may do everything.
    pub tokens: Vec<TokenEntry>,
}

/// Logging of the server itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` or `json`, on standard error.
    pub format: LogFormat,
    /// Filter of tracing directives: `info`, `weir_server=debug,info`.
    pub filter: String,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: "127.0.0.1:9480".to_owned(),
            data: PathBuf::from("./weir-data"),
            insecure_allow_remote: false,
            allowed_hosts: Vec::new(),
            log: Log::default(),
            connections: Connections::default(),
            ingest: Ingest::default(),
            parser: Parser::default(),
            query: Query::default(),
            standing: Standing::default(),
            storage: Storage::default(),
            tokens: Vec::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A layer is not what it should be; the message names the key.
    #[error("{origin}: {message}")]
    Invalid {
        /// The file, the variable or the flag.
        origin: String,
        /// What is wrong.
        message: String,
    },
    /// The listen address means nothing here.
    #[error("listen = {listen:?} is not an address and port: {message}")]
    Listen {
        /// As configured.
        listen: String,
        /// Why.
        message: String,
    },
    /// Reachable from elsewhere, and open to everyone.
    #[error(
        "{address} is reachable from other machines and no tokens are configured: add [[tokens]] to weir.toml, \
         listen on 127.0.0.1, or accept that anyone may read and write with --insecure-allow-remote"
    )]
    OpenToTheWorld {
        /// What it would listen on.
        address: SocketAddr,
    },
}

impl Settings {
    /// The addresses to listen on, after the check that none of them is open to the world by accident.
    ///
    /// # Errors
    /// When the address cannot be resolved, or is off loopback without tokens.
    pub fn addresses(&self) -> Result<Vec<SocketAddr>, SettingsError> {
        let wrong = |message: String| SettingsError::Listen { listen: self.listen.clone(), message };
        let found: Vec<SocketAddr> =
            self.listen.to_socket_addrs().map_err(|error| wrong(error.to_string()))?.collect();
        if found.is_empty() {
            return Err(wrong("it resolves to nothing".to_owned()));
        }
        let remote = found.iter().find(|address| !address.ip().is_loopback());
        match remote {
            Some(address) if self.tokens.is_empty() && !self.insecure_allow_remote => {
                Err(SettingsError::OpenToTheWorld { address: *address })
            }
            _ => Ok(found),
        }
    }

    /// Checks what types cannot say: limits that must not be zero or too large, tokens that make sense.
    ///
    /// # Errors
    /// The first key that is wrong.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let table = toml::Table::try_from(self).map_err(|error| SettingsError::Invalid {
            origin: "settings".to_owned(),
            message: error.to_string(),
        })?;
        for (path, value) in layers::leaves(&table) {
            let Some(value) = value.as_integer() else { continue };
            if value == 0 && !limits::MAY_BE_ZERO.contains(&path.as_str()) {
                return Err(SettingsError::Invalid {
                    origin: path,
                    message: "must be more than zero".to_owned(),
                });
            }
            if let Some((_, limit)) =
                limits::AT_MOST.iter().find(|(name, limit)| *name == path && value > *limit)
            {
                let message = format!("must be at most {limit}");
                return Err(SettingsError::Invalid { origin: path, message });
            }
        }
        for token in &self.tokens {
            token.check().map_err(|message| SettingsError::Invalid {
                origin: format!("tokens.{}", token.name),
                message,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_needs_nothing_and_the_world_needs_tokens() {
        let at = |listen: &str, insecure: bool| Settings {
            listen: listen.to_owned(),
            insecure_allow_remote: insecure,
            ..Settings::default()
        };
        assert!(at("127.0.0.1:9480", false).addresses().is_ok());
        assert!(at("[::1]:9480", false).addresses().is_ok());
        assert!(matches!(at("0.0.0.0:9480", false).addresses(), Err(SettingsError::OpenToTheWorld { .. })));
        assert!(at("0.0.0.0:9480", true).addresses().is_ok());
        assert!(matches!(at("nonsense", false).addresses(), Err(SettingsError::Listen { .. })));
    }

    #[test]
    fn zero_is_refused_where_it_means_nothing() {
        let mut settings = Settings::default();
        assert!(settings.validate().is_ok());
        settings.connections.max_connections = 0;
        let text = settings.validate().unwrap_err().to_string();
        assert!(text.starts_with("connections.max_connections"), "{text}");
    }

    #[test]
    fn too_much_is_refused_where_it_means_nothing() {
        for (seal_threads, merge_cpu_percent, refused) in [
            (16, 100, None),
            (17, 100, Some("storage.seal_threads: must be at most 16")),
            (16, 101, Some("storage.merge_cpu_percent: must be at most 100")),
        ] {
            let storage = Storage { seal_threads, merge_cpu_percent, ..Storage::default() };
            let validated = Settings { storage, ..Settings::default() }.validate();
            let message = validated.err().map(|error| error.to_string());
            assert_eq!(message.as_deref(), refused);
        }
    }
}
