//! A line an event: NDJSON and text.

use super::error::DecodeError;
use super::intake::{Beside, Intake};
use super::pieces::{Boundary, Piece, Pieces};
use super::source::Source;

/// The mark that some tools put before UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A JSON object a line. A carriage return before the newline is white space like any other, and kept.
pub(super) fn ndjson(source: Source<'_>, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    let mut first = true;
    each(source, Boundary::Newline, intake, |line, intake| {
        let line = if std::mem::take(&mut first) {
            line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
        } else {
            line
        };
        if line.trim_ascii().is_empty() {
            intake.blank();
            return Ok(());
        }
        intake.json(line, Beside::default())
    })
}

/// A text event a line. Lines end in `\n` or `\r\n`, which is not part of them.
pub(super) fn text(source: Source<'_>, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    each(source, Boundary::Line, intake, |line, intake| {
        if line.is_empty() {
            intake.blank();
            return Ok(());
        }
        intake.text(line, Beside::default())
    })
}

/// All of it one event.
pub(super) fn whole(body: &[u8], intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    if body.is_empty() {
        intake.blank();
        return Ok(());
    }
    intake.text(body, Beside::default())
}

fn each<'i>(
    source: Source<'_>,
    boundary: Boundary,
    intake: &mut Intake<'i>,
    mut take: impl FnMut(&[u8], &mut Intake<'i>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut pieces = Pieces::new(source, boundary, intake.options.limits.max_event_bytes);
    intake.reserve(pieces.at_hand());
    while let Some(piece) = pieces.next()? {
        match piece {
            Piece::Whole(line) | Piece::Unclosed(line) => take(line, intake)?,
            Piece::TooLarge { front, bytes } => intake.reject_too_large(front, bytes),
        }
    }
    Ok(())
}
