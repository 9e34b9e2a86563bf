//! What is said on the command line in a form of its own: query texts, parameters as `name=value`.

use std::io::Read;

use anyhow::{Context, bail};
use weir_query::error::MAX_QUERY_BYTES;

/// The query text that `argument` stands for.
///
/// # Errors
/// When standard input cannot be read, is no UTF-8, or is longer than a query may be.
pub(super) fn query_text(argument: &str) -> anyhow::Result<String> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    // One byte more than allowed tells a query that just fits from one that does not.
    let limit = MAX_QUERY_BYTES as u64 + 1;
    std::io::stdin().lock().take(limit).read_to_string(&mut text).context("cannot read the query")?;
    if text.len() > MAX_QUERY_BYTES {
        bail!("the query is longer than {MAX_QUERY_BYTES} bytes");
    }
    Ok(text)
}

/// The two sides of `name=value`.
///
/// # Errors
/// When there is no `=`.
pub(super) fn name_and_value(pair: &str) -> anyhow::Result<(&str, &str)> {
    pair.split_once('=').with_context(|| format!("`{pair}` is not name=value"))
}
