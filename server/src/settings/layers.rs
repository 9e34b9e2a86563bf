//! Lays file, environment and flags over the defaults, as one TOML table, and reads it once.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{DEFAULT_FILE, Settings, SettingsError};

/// Variables with the prefix that belong to the command line, not to the configuration.
pub const NOT_SETTINGS: [&str; 4] = ["WEIR_SERVER", "WEIR_TOKEN", "WEIR_REPOSITORY", "WEIR_CONFIG"];

/// What Kubernetes puts into the environment of every container beside a service named `weir`.
const OF_KUBERNETES: [&str; 2] = ["WEIR_SERVICE_", "WEIR_PORT"];

/// The prefix of every variable.
const PREFIX: &str = "WEIR_";

/// Where settings come from, weakest first.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The file; `None`: `weir.toml` where it exists.
    pub file: Option<PathBuf>,
    /// Variables, name and value.
    pub environment: Vec<(String, String)>,
    /// Flags: `section.key` and value.
    pub flags: Vec<(String, String)>,
}

impl Layers {
    /// Reads every layer.
    ///
    /// # Errors
    /// The first thing that is wrong, with the file, variable or flag it stands in.
    pub fn load(&self) -> Result<Settings, SettingsError> {
        let defaults = defaults()?;
        let mut table = Table::new();
        if let Some((path, text)) = self.read_file()? {
            table = text.parse::<Table>().map_err(|error| invalid(path.display(), error))?;
            // Read by itself first, so that a wrong key is reported with the file's name and line.
            toml::from_str::<Settings>(&text).map_err(|error| invalid(path.display(), error))?;
        }
        for (name, value) in &self.environment {
            let foreign = OF_KUBERNETES.iter().any(|prefix| name.starts_with(prefix));
            if !name.starts_with(PREFIX) || foreign || NOT_SETTINGS.contains(&name.as_str()) {
                continue;
            }
            let Some((path, like)) = leaves(&defaults).into_iter().find(|(path, _)| env_name(path) == *name)
            else {
                return Err(invalid(name, "no setting has this name"));
            };
            put(&mut table, &path, parse_like(&like, value).map_err(|message| invalid(name, message))?);
        }
        for (path, value) in &self.flags {
            let Some((_, like)) = leaves(&defaults).into_iter().find(|(known, _)| known == path) else {
                return Err(invalid(path, "no setting has this name"));
            };
            put(&mut table, path, parse_like(&like, value).map_err(|message| invalid(path, message))?);
        }
        let settings: Settings = table.try_into().map_err(|error| invalid("settings", error))?;
        settings.validate()?;
        Ok(settings)
    }

    fn read_file(&self) -> Result<Option<(PathBuf, String)>, SettingsError> {
        let path = self.file.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        if self.file.is_none() && !Path::new(DEFAULT_FILE).exists() {
            return Ok(None);
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some((path, text))),
            Err(source) => Err(SettingsError::Unreadable { path, source }),
        }
    }
}

/// The variable of a setting: `query.timeout_millis` is `WEIR_QUERY_TIMEOUT_MILLIS`.
#[must_use]
pub fn env_name(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_ascii_uppercase())
}

fn defaults() -> Result<Table, SettingsError> {
    Table::try_from(Settings::default()).map_err(|error| invalid("settings", error))
}

/// Every value that is not a table, with its dotted path.
pub(super) fn leaves(table: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                found.extend(leaves(inner).into_iter().map(|(path, value)| (format!("{key}.{path}"), value)));
            }
            _ => found.push((key.clone(), value.clone())),
        }
    }
    found
}

/// Reads `text` as the kind of value that `like` is.
fn parse_like(like: &Value, text: &str) -> Result<Value, String> {
    match like {
        Value::Integer(_) => {
            let digits: String = text.chars().filter(|digit| *digit != '_').collect();
            digits.parse().map(Value::Integer).map_err(|_| format!("{text:?} is not a whole number"))
        }
        Value::Boolean(_) => match text.trim() {
            "true" | "1" | "yes" => Ok(Value::Boolean(true)),
            "false" | "0" | "no" => Ok(Value::Boolean(false)),
            _ => Err(format!("{text:?} is neither true nor false")),
        },
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn put(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

fn invalid(origin: impl std::fmt::Display, message: impl std::fmt::Display) -> SettingsError {
    SettingsError::Invalid { origin: origin.to_string(), message: message.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn later_layers_win() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weir.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\n[query]\nmax_jobs = 1\nanswer_threads = 7\n")
            .unwrap();
        let layers = Layers {
            file: Some(file),
            environment: pairs(&[
                ("WEIR_LISTEN", "127.0.0.1:2"),
                ("WEIR_QUERY_MAX_JOBS", "2"),
                ("WEIR_ALLOWED_HOSTS", "a.example, b.example"),
                ("WEIR_TOKEN", "not a setting"),
                ("WEIR_REPOSITORY", "not a setting"),
                ("WEIR_SERVICE_HOST", "10.0.0.1"),
                ("WEIR_PORT", "tcp://10.0.0.1:9480"),
                ("WEIR_PORT_9480_TCP_PROTO", "tcp"),
                ("PATH", "not ours"),
            ]),
            flags: pairs(&[("query.max_jobs", "3_000")]),
        };
        let settings = layers.load().unwrap();
        assert_eq!(settings.listen, "127.0.0.1:2");
        assert_eq!(settings.query.max_jobs, 3_000);
        assert_eq!(settings.query.answer_threads, 7);
        assert_eq!(settings.allowed_hosts, ["a.example", "b.example"]);
    }

    #[test]
    fn mistakes_name_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weir.toml");
        std::fs::write(&file, "[query]\nmax_jbos = 1\n").unwrap();
        let check = |layers: Layers, part: &str| {
            let text = layers.load().unwrap_err().to_string();
            assert!(text.contains(part), "{text} lacks {part}");
        };
        check(Layers { file: Some(file), ..Layers::default() }, "max_jbos");
        let environment = pairs(&[("WEIR_QUERY_MAX_JBOS", "1")]);
        check(Layers { environment, ..Layers::default() }, "WEIR_QUERY_MAX_JBOS");
        let environment = pairs(&[("WEIR_QUERY_MAX_JOBS", "many")]);
        check(Layers { environment, ..Layers::default() }, "not a whole number");
        check(Layers { flags: pairs(&[("query.nope", "1")]), ..Layers::default() }, "query.nope");
        check(Layers { flags: pairs(&[("storage.level", "hope")]), ..Layers::default() }, "hope");
        let absent = Some(folder.path().join("absent.toml"));
        check(Layers { file: absent, ..Layers::default() }, "absent.toml");
    }

    #[test]
    fn what_is_printed_reads_back() {
        let text = toml::to_string(&Settings::default()).unwrap();
        assert_eq!(toml::from_str::<Settings>(&text).unwrap(), Settings::default());
    }

    #[test]
    fn every_setting_has_its_own_variable() {
        let mut names: Vec<String> =
            leaves(&defaults().unwrap()).iter().map(|(path, _)| env_name(path)).collect();
        let before = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), before);
        assert!(!names.iter().any(|name| OF_KUBERNETES.iter().any(|prefix| name.starts_with(prefix))));
    }
}
