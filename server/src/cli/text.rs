//! What is said on the command line in a form of its own: query texts, parameters as `name=value`.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use anyhow::{Context, bail};
use weir_query::error::MAX_QUERY_BYTES;

/// What was asked for on the command line means nothing; exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// The query text that `argument` stands for.
///
/// # Errors
/// When standard input cannot be read, is no UTF-8, or is longer than a query may be.
pub(super) fn query_text(argument: &str) -> anyhow::Result<String> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    read_query(std::io::stdin().lock()).context("cannot read the query")
}

/// The query text in a file.
///
/// # Errors
/// As [`query_text`].
pub(super) fn read_query_file(file: &Path) -> anyhow::Result<String> {
    let read = File::open(file).map_err(anyhow::Error::from).and_then(read_query);
    read.with_context(|| file.display().to_string())
}

fn read_query(source: impl Read) -> anyhow::Result<String> {
    let mut text = String::new();
    // One byte more than allowed tells a query that just fits from one that does not.
    let limit = MAX_QUERY_BYTES as u64 + 1;
    match source.take(limit).read_to_string(&mut text) {
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            bail!(Usage("the query is not UTF-8".to_owned()))
        }
        read => read?,
    };
    if text.len() > MAX_QUERY_BYTES {
        bail!(Usage(format!("the query is longer than {MAX_QUERY_BYTES} bytes")));
    }
    Ok(text)
}

/// The two sides of `name=value`.
///
/// # Errors
/// When there is no `=`.
pub(super) fn name_and_value(pair: &str) -> anyhow::Result<(&str, &str)> {
    Ok(pair.split_once('=').ok_or_else(|| Usage(format!("`{pair}` is not name=value")))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_pairs_are_wrong_usage() {
        assert_eq!(name_and_value("a=b=c").unwrap(), ("a", "b=c"));
        assert!(name_and_value("a").unwrap_err().is::<Usage>());
    }
}
