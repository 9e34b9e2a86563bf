//! Verifies a data directory that no engine has open: every checksum, every row, every number against its file.

use std::collections::BTreeSet;

use crate::error::StoreError;
use crate::event::EventBatch;
use crate::store::catalog::{self, SegmentEntry};
use crate::store::files::Files;
use crate::store::log::reader::replay;
use crate::store::{log, segment_file};

/// What a check looked at and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Repositories in the catalog.
    pub repositories: u64,
    /// Segments in the catalog.
    pub segments: u64,
    /// Rows in those that could be read.
    pub rows: u64,
    /// Log files.
    pub log_files: u64,
    /// Batches in the log.
    pub log_batches: u64,
    /// Events in those batches.
    pub log_events: u64,
    /// Bytes looked at.
    pub bytes: u64,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong or odd.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file.
    pub path: String,
    /// What it is.
    pub message: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Events are lost or cannot be read.
    Damage,
    /// Nothing is lost; the next start clears it, or somebody should look.
    Note,
}

impl CheckReport {
    /// Nothing is lost or unreadable.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Damage)
    }

    fn add(&mut self, severity: Severity, path: &str, message: impl Into<String>) {
        self.findings.push(Finding { severity, path: path.to_owned(), message: message.into() });
    }
}

/// Whether there is a store at all: without a catalog there is nothing to verify.
///
/// # Errors
/// When the directory cannot be read.
pub fn is_store(files: &Files) -> Result<bool, StoreError> {
    files.exists(catalog::FILE)
}

/// Reads and verifies everything in `files`, changing nothing.
///
/// # Errors
/// When the catalog or a directory cannot be read at all, or is of a newer version.
pub fn check(files: &Files) -> Result<CheckReport, StoreError> {
    let mut report = CheckReport::default();
    let (contents, found, _) = catalog::read(files)?;
    for damage in found.damage {
        report.add(Severity::Damage, catalog::FILE, damage);
    }
    if found.torn_bytes > 0 {
        let message = format!("{} bytes of an edit that was under way", found.torn_bytes);
        report.add(Severity::Note, catalog::FILE, message);
    }
    if found.is_new {
        report.add(Severity::Note, catalog::FILE, "there is no catalog");
    }
    report.repositories = contents.repositories.len() as u64;
    let mut known = BTreeSet::new();
    for entry in contents.repositories.values() {
        for segment in entry.segments.values() {
            known.insert(segment.id);
            check_segment(files, segment, &mut report);
        }
    }
    check_strangers(files, &known, &mut report)?;
    check_log(files, &mut report)?;
    report.findings.sort();
    Ok(report)
}

/// A batch as it stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedBatch<'a> {
    /// The number of its frame.
    pub frame: u64,
    /// The repository it is of, by id.
    pub repository: u32,
    /// The sequence of its first event.
    pub first_sequence: u64,
    /// Its idempotency key; empty when it came without.
    pub key: &'a [u8],
    /// The batch, as [`EventBatch::log_payload`] made it.
    pub payload: &'a [u8],
}

/// Hands every batch that can be read of the log in `files` to `each`, in order, whatever state the log is in.
///
/// # Errors
/// When the directory of the log cannot be read, or a file is of a newer version.
pub fn logged_batches(files: &Files, each: &mut dyn FnMut(LoggedBatch<'_>)) -> Result<(), StoreError> {
    let read = replay(files, &mut |frame| {
        each(LoggedBatch {
            frame: frame.header.number,
            repository: frame.header.repository,
            first_sequence: frame.header.base,
            key: frame.key,
            payload: frame.payload,
        });
    });
    read.map(drop)
}

fn check_segment(files: &Files, entry: &SegmentEntry, report: &mut CheckReport) {
    let name = segment_file::name(entry.id);
    report.segments += 1;
    report.bytes += entry.file_bytes;
    let segment = match segment_file::open(files, entry) {
        Ok(segment) => segment,
        Err(error) => return report.add(Severity::Damage, &name, error.to_string()),
    };
    let verified = segment.verify();
    report.rows += verified.rows;
    for fault in verified.faults {
        report.add(Severity::Damage, &name, fault);
    }
    let facts = segment.facts();
    let same = facts.rows == entry.rows
        && facts.raw_bytes == entry.raw_bytes
        && (facts.min_timestamp, facts.max_timestamp) == (entry.min_timestamp, entry.max_timestamp)
        && (facts.min_sequence, facts.max_sequence) == (entry.min_sequence, entry.max_sequence);
    if !same {
        report.add(Severity::Damage, &name, "its facts are not those of the catalog");
    }
}

fn check_strangers(files: &Files, known: &BTreeSet<u64>, report: &mut CheckReport) -> Result<(), StoreError> {
    for entry in list(files, segment_file::DIRECTORY)? {
        if segment_file::id(&entry).is_some_and(|id| known.contains(&id)) {
            continue;
        }
        let name = format!("{}/{entry}", segment_file::DIRECTORY);
        report.add(Severity::Note, &name, "the catalog does not name it");
    }
    Ok(())
}

fn check_log(files: &Files, report: &mut CheckReport) -> Result<(), StoreError> {
    if list(files, log::DIRECTORY)?.is_empty() {
        return Ok(());
    }
    let (mut batches, mut events, mut bytes, mut unreadable) = (0, 0, 0, Vec::new());
    let replayed = replay(files, &mut |frame| {
        batches += 1;
        bytes += frame.header.frame_bytes() as u64;
        match EventBatch::decode_log(frame.payload) {
            Ok(batch) if batch.len() == frame.header.events as usize => events += batch.len() as u64,
            Ok(_) => unreadable.push((frame.header.base, "it has another number of events".to_owned())),
            Err(error) => unreadable.push((frame.header.base, error.to_string())),
        }
    })?;
    report.log_files = replayed.kept.len() as u64;
    (report.log_batches, report.log_events) = (batches, events);
    report.bytes += bytes;
    for (base, error) in unreadable {
        report.add(Severity::Damage, log::DIRECTORY, format!("the batch at sequence {base}: {error}"));
    }
    for damage in replayed.damage {
        report.add(Severity::Damage, &damage.path, format!("at byte {}: {}", damage.offset, damage.reason));
    }
    Ok(())
}

/// The names in a directory; none when there is no such directory.
fn list(files: &Files, directory: &str) -> Result<Vec<String>, StoreError> {
    match files.list(directory) {
        Ok(entries) => Ok(entries.into_iter().map(|entry| entry.name).collect()),
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
