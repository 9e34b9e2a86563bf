//! The definitions of a repository's metrics on disk: one text file, replaced as a whole.
//!
//! ```text
//! weir-metrics 3
//! metric errors
//! query level=ERROR | count()
//! argument service web api        (a name and its values; backslash escapes: \\ \n \r \s)
//! timezone Europe/Berlin
//! kind sliding                    (or: tumbling, calendar day, global, session 30000000000: the gap)
//! window_nanos 3600000000000
//! granule_nanos 60000000000
//! time event
//! lateness_nanos 60000000000
//! idle_timeout_nanos 2000000000
//! trigger any(count(100), every(10s))
//! refinement accumulating
//! max_bytes 268435456
//! priority normal                 (or: low, high)
//! end
//! checksum 1f2e3d4c               (CRC-32C of everything before this line)
//! ```
//!
//! Hard constraints: the file is never changed in place (written aside, synced, renamed, directory synced); a file
//! whose checksum does not fit is never half believed; a key that is not known here is an error, as it may mean
//! something. The first version knew sliding windows only, the second no priorities; both are read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{CalendarUnit, LiveError, MetricDefinition, Priority, Refinement, TimeBasis, WindowKind};

const HEADER: &str = "weir-metrics 3";
/// Of versions that are read too.
const OLD_HEADERS: &[&str] = &["weir-metrics 1", "weir-metrics 2"];
/// The most bytes of a definitions file that are read.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Definitions by name.
pub(super) type Definitions = BTreeMap<String, MetricDefinition>;

/// Reads the definitions in `path`; none when there is no file. A file that is damaged is renamed, so that it is
/// never written over, and told of in `problems`.
pub(super) fn load_or_put_aside(path: &Path, problems: &mut Vec<String>) -> Result<Definitions, LiveError> {
    let read = |reason: String| LiveError::Read(format!("{}: {reason}", path.display()));
    let bytes = match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Definitions::new()),
        Err(error) => return Err(read(error.to_string())),
        Ok(facts) if facts.len() > MAX_FILE_BYTES => return Err(read("the file is too large".to_owned())),
        Ok(_) => std::fs::read(path).map_err(|error| read(error.to_string()))?,
    };
    parse(&bytes).or_else(|reason| {
        let aside = put_aside(path).map_err(|error| read(error.to_string()))?;
        let problem = format!("{}: {reason}; it is now {}", path.display(), aside.display());
        tracing::error!("metric definitions are lost: {problem}");
        problems.push(problem);
        Ok(Definitions::new())
    })
}

/// Replaces the definitions in `path`.
pub(super) fn save(path: &Path, definitions: &Definitions) -> Result<(), LiveError> {
    let text = print(definitions);
    replace(path, |file| file.write_all(text.as_bytes()))
        .map_err(|error| LiveError::Write(format!("{}: {error}", path.display())))
}

/// Renames `path`, so that it is never written over: what it is now.
pub(super) fn put_aside(path: &Path) -> std::io::Result<PathBuf> {
    let aside = (0..).map(|number| beside(path, &format!(".damaged-{number}"))).find(|to| !to.exists());
    let aside = aside.unwrap_or_else(|| beside(path, ".damaged"));
    std::fs::rename(path, &aside)?;
    Ok(aside)
}

/// A file in the same folder, named as `path` and `more`.
fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    PathBuf::from(name)
}

/// Replaces `path` as a whole by what `write` writes; when that fails, what was there stays.
pub(super) fn replace<T>(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<T>,
) -> std::io::Result<T> {
    let aside = beside(path, ".new");
    let mut file = File::create(&aside)?;
    let written = write(&mut file).and_then(|written| file.sync_all().map(|()| written));
    drop(file);
    if written.is_err() {
        // Its bytes are wanted by others; if it stays after all, it is written over the next time.
        let _ = std::fs::remove_file(&aside);
    }
    let written = written?;
    std::fs::rename(&aside, path)?;
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or(PathBuf::from("."), Path::to_owned);
    File::open(folder)?.sync_all()?;
    Ok(written)
}

fn print(definitions: &Definitions) -> String {
    let mut out = format!("{HEADER}\n");
    for (name, definition) in definitions {
        let mut line = |key: &str, value: &str| {
            out.push_str(key);
            out.push(' ');
            out.push_str(value);
            out.push('\n');
        };
        line("metric", &escape(name));
        line("query", &escape(&definition.query));
        for (argument, values) in &definition.arguments {
            let words: Vec<String> =
                std::iter::once(argument).chain(values).map(|word| escape_word(word)).collect();
            line("argument", &words.join(" "));
        }
        line("timezone", &escape(&definition.timezone));
        line("kind", &print_kind(definition.kind));
        line("window_nanos", &definition.window.as_nanos().to_string());
        line("granule_nanos", &definition.granule.as_nanos().to_string());
        line(
            "time",
            match definition.time {
                TimeBasis::Event => "event",
                TimeBasis::Ingest => "ingest",
            },
        );
        line("lateness_nanos", &definition.lateness.as_nanos().to_string());
        line("idle_timeout_nanos", &definition.idle_timeout.as_nanos().to_string());
        line("trigger", &escape(&definition.trigger));
        line("refinement", definition.refinement.as_str());
        line("max_bytes", &definition.max_bytes.to_string());
        line("priority", definition.priority.as_str());
        out.push_str("end\n");
    }
    let checksum = crc32c::crc32c(out.as_bytes());
    out.push_str(&format!("checksum {checksum:08x}\n"));
    out
}

fn parse(bytes: &[u8]) -> Result<Definitions, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is damaged".to_owned())?;
    let (body, checksum) = text
        .strip_suffix('\n')
        .and_then(|text| text.rsplit_once('\n'))
        .and_then(|(body, last)| Some((body, last.strip_prefix("checksum ")?)))
        .ok_or("it is damaged: it has no checksum")?;
    let body = text.get(..=body.len()).unwrap_or_default();
    if format!("{:08x}", crc32c::crc32c(body.as_bytes())) != checksum {
        return Err("it is damaged: its checksum does not fit".to_owned());
    }
    let mut lines = body.lines();
    if !lines.next().is_some_and(|line| line == HEADER || OLD_HEADERS.contains(&line)) {
        return Err(format!("it does not start with `{HEADER}`: it was written by another version"));
    }
    let mut definitions = Definitions::new();
    let mut open: Option<(String, MetricDefinition)> = None;
    for line in lines {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        match (key, &mut open) {
            ("metric", None) => {
                open = Some((unescape(value)?, MetricDefinition::new("", Duration::from_secs(60))))
            }
            ("end", open) => definitions.extend(open.take()),
            (key, Some((_, definition))) => set(definition, key, value)?,
            (key, None) => return Err(format!("`{key}` stands outside a metric")),
        }
    }
    Ok(definitions)
}

fn set(definition: &mut MetricDefinition, key: &str, value: &str) -> Result<(), String> {
    let number = || value.parse::<u64>().map_err(|_| format!("`{key}` is not a number: {value}"));
    match key {
        "query" => definition.query = unescape(value)?,
        "timezone" => definition.timezone = unescape(value)?,
        "kind" => definition.kind = parse_kind(value).ok_or(format!("`kind {value}` is not known"))?,
        "window_nanos" => definition.window = Duration::from_nanos(number()?),
        "granule_nanos" => definition.granule = Duration::from_nanos(number()?),
        "lateness_nanos" => definition.lateness = Duration::from_nanos(number()?),
        "idle_timeout_nanos" => definition.idle_timeout = Duration::from_nanos(number()?),
        "trigger" => definition.trigger = unescape(value)?,
        "refinement" => {
            let refinement = Refinement::parse(value);
            definition.refinement = refinement.ok_or(format!("`refinement {value}` is not known"))?;
        }
        "priority" => {
            definition.priority = Priority::parse(value).ok_or(format!("`priority {value}` is not known"))?;
        }
        "max_bytes" => definition.max_bytes = usize::try_from(number()?).unwrap_or(usize::MAX),
        "time" if value == "event" => definition.time = TimeBasis::Event,
        "time" if value == "ingest" => definition.time = TimeBasis::Ingest,
        "argument" => {
            let mut words = value.split(' ').map(unescape);
            let name = words.next().unwrap_or(Ok(String::new()))?;
            definition.arguments.insert(name, words.collect::<Result<_, _>>()?);
        }
        _ => return Err(format!("`{key} {value}` is not known")),
    }
    Ok(())
}

pub(super) fn print_kind(kind: WindowKind) -> String {
    match kind {
        WindowKind::Sliding => "sliding".to_owned(),
        WindowKind::Tumbling => "tumbling".to_owned(),
        WindowKind::Global => "global".to_owned(),
        WindowKind::Calendar(unit) => format!("calendar {}", unit.as_str()),
        WindowKind::Session { gap } => format!("session {}", gap.as_nanos()),
    }
}

pub(super) fn parse_kind(text: &str) -> Option<WindowKind> {
    Some(match text.split_once(' ') {
        None if text == "sliding" => WindowKind::Sliding,
        None if text == "tumbling" => WindowKind::Tumbling,
        None if text == "global" => WindowKind::Global,
        Some(("calendar", unit)) => WindowKind::Calendar(CalendarUnit::parse(unit)?),
        Some(("session", gap)) => WindowKind::Session { gap: Duration::from_nanos(gap.parse().ok()?) },
        _ => return None,
    })
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

fn escape_word(text: &str) -> String {
    escape(text).replace(' ', "\\s")
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        out.push(match character {
            '\\' => match characters.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('s') => ' ',
                other => return Err(format!("`\\{}` is no escape", other.unwrap_or(' '))),
            },
            character => character,
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::DEFAULT_IDLE_TIMEOUT;
    use super::*;

    fn some() -> Definitions {
        let mut one = MetricDefinition::new("level=\"a\\\\b\"\r\n| count()  ", Duration::from_secs(3600));
        one.arguments.insert("a b".to_owned(), vec!["x y".to_owned(), String::new(), "\\s\nz".to_owned()]);
        one.time = TimeBasis::Ingest;
        one.idle_timeout = Duration::from_millis(7);
        one.trigger = "any(count(1), when(a=\"\n\"))".to_owned();
        one.refinement = Refinement::Retracting;
        one.priority = Priority::High;
        one.timezone = "Europe/Berlin".to_owned();
        let two = MetricDefinition::new("*", Duration::from_millis(1_500));
        let mut definitions = Definitions::from([("one".to_owned(), one), ("t-w.o".to_owned(), two.clone())]);
        let units = CalendarUnit::ALL.map(WindowKind::Calendar);
        let gap = Duration::from_millis(2_500);
        for kind in
            units.into_iter().chain([WindowKind::Tumbling, WindowKind::Global, WindowKind::Session { gap }])
        {
            definitions.insert(print_kind(kind).replace(' ', "-"), two.clone().over(kind));
        }
        definitions
    }

    #[test]
    fn definitions_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics");
        let mut problems = Vec::new();
        assert_eq!(load_or_put_aside(&path, &mut problems).unwrap(), Definitions::new());
        for definitions in [some(), Definitions::new()] {
            save(&path, &definitions).unwrap();
            assert_eq!(load_or_put_aside(&path, &mut problems).unwrap(), definitions);
        }
        assert_eq!(problems, Vec::<String>::new());
        for number in 0..2 {
            std::fs::write(&path, "weir-metrics 1\n").unwrap();
            assert_eq!(load_or_put_aside(&path, &mut problems).unwrap(), Definitions::new());
            assert!(!path.exists() && folder.path().join(format!("metrics.damaged-{number}")).exists());
        }
        assert_eq!(problems.len(), 2);
    }

    /// What an older version, which did not know some keys, would have written.
    fn older(header: &str, unknown: &[&str]) -> String {
        let new = print(&some());
        let is_known =
            |line: &&str| !line.starts_with("checksum") && !unknown.iter().any(|key| line.starts_with(key));
        let lines = new.lines().filter(is_known);
        let mut old: String = lines.map(|line| format!("{}\n", line.replace(HEADER, header))).collect();
        old.push_str(&format!("checksum {:08x}\n", crc32c::crc32c(old.as_bytes())));
        old
    }

    #[test]
    fn older_versions_are_read() {
        let mut expected = some();
        expected.values_mut().for_each(|definition| definition.priority = Priority::Normal);
        assert_eq!(parse(older(OLD_HEADERS[1], &["priority"]).as_bytes()).unwrap(), expected);
        for definition in expected.values_mut() {
            definition.kind = WindowKind::Sliding;
            definition.idle_timeout = DEFAULT_IDLE_TIMEOUT;
            definition.trigger = String::new();
            definition.refinement = Refinement::Accumulating;
        }
        let unknown = ["priority", "kind", "idle_timeout_nanos", "trigger", "refinement"];
        assert_eq!(parse(older(OLD_HEADERS[0], &unknown).as_bytes()).unwrap(), expected);
    }

    #[test]
    fn a_damaged_file_is_never_half_believed() {
        let good = print(&some()).into_bytes();
        assert_eq!(parse(&good).unwrap(), some());
        for at in 0..good.len() {
            assert!(parse(&good[..at]).is_err(), "cut at {at}");
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(parse(&bad).is_err(), "flipped at {at}");
        }
    }
}
