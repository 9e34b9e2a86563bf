//! What leads from one revision of a metric to a later one: the shared part of a pushed event.

use axum::body::Bytes;

use super::revision::Revision;
use crate::encode::Change;

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// All rows.
    State,
    /// Rows that are new or changed, and keys that are gone.
    Delta,
    /// The rows are the same; what is said of them changed.
    Status,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::State => "state",
            Kind::Delta => "delta",
            Kind::Status => "status",
        }
    }
}

/// The inside of an event's JSON object, without its opening brace, up to the end of the event.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) kind: Kind,
    pub(super) bytes: Bytes,
}

/// Behind each body: the object's end, and the event's.
const END: &[u8] = b"}\n\n";

impl Body {
    /// All of `latest`, for a reader who has `base`, or of whom it is not known.
    pub(super) fn state(base: Option<&Revision>, latest: &Revision) -> Body {
        let room = latest.rows.written_bytes() + latest.facts.len() + latest.keys.len() + 32;
        let mut out = Vec::with_capacity(room);
        out.extend_from_slice(b"\"rows\":[");
        latest.rows.append_all(&mut out);
        out.extend_from_slice(b"],\"keys\":");
        out.extend_from_slice(&latest.keys);
        out.push(b',');
        match (base, &latest.retracted) {
            (Some(base), Some(_)) => append_retracted(base, latest, &mut out),
            (None, Some(retracted)) => {
                out.extend_from_slice(b"\"retracted\":");
                out.extend_from_slice(retracted);
                out.push(b',');
            }
            (_, None) => {}
        }
        out.extend_from_slice(&latest.facts);
        out.extend_from_slice(END);
        Body { kind: Kind::State, bytes: out.into() }
    }

    /// From `base` to `latest`; `None`: the whole state is shorter.
    pub(super) fn between(base: &Revision, latest: &Revision) -> Option<Body> {
        let mut out = format!("\"from\":{},", base.place.revision).into_bytes();
        let kind = match latest.rows.change(&base.rows) {
            Change::Whole => return None,
            Change::Same => Kind::Status,
            Change::Rows { set, removed } => {
                out.extend_from_slice(b"\"rows\":[");
                latest.rows.append_rows(&set, &mut out);
                out.extend_from_slice(b"],\"removed\":[");
                base.rows.append_keys(&removed, &mut out);
                out.extend_from_slice(b"],");
                Kind::Delta
            }
        };
        if kind == Kind::Delta && out.len() > latest.rows.written_bytes() + latest.keys.len() + ROOM {
            return None;
        }
        if latest.retracted.is_some() {
            append_retracted(base, latest, &mut out);
        }
        out.extend_from_slice(&latest.facts);
        out.extend_from_slice(END);
        Some(Body { kind, bytes: out.into() })
    }
}

/// The rows of `base` that `latest` no longer has, as a key of the object.
fn append_retracted(base: &Revision, latest: &Revision, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"retracted\":[");
    base.rows.append_rows(&latest.rows.lacks_of(&base.rows), out);
    out.extend_from_slice(b"],");
}

/// What a delta may be longer than its state: the words around its rows. One row that changes is a delta, too.
const ROOM: usize = 64;
