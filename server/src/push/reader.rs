//! One reader of channels: a stream of server-sent events that asks for the newest whenever its socket has room.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Bytes;
use futures_util::Stream;
use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::Watch;
use super::body::{Body, Kind};
use super::channel::Next;
use super::cursor::Cursor;
use super::mailbox::Places;
use super::revision::Place;
use crate::app::{App, OpenStream};
use crate::encode::write_string;

/// Bodies up to this long are copied behind their heads: a piece more on the way to the socket costs more.
const MAX_COPIED_BYTES: usize = 4096;

/// What a reader is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Of one metric: every result whole, as event `result`. The event's id is the revision.
    Results,
    /// Of many: states, and what changed since. The event's id is a [`Cursor`].
    Changes,
}

/// One reader.
pub struct Reader {
    watch: Watch,
    form: Form,
    /// By channel.
    known: Vec<Option<Place>>,
    /// Channels that may have something new.
    fresh: Places,
    gone: Places,
    /// The newest that is known of any channel.
    newest: u64,
    /// The revision a reader of results said to have.
    seen: Option<u64>,
    /// A body that follows its head.
    body: Option<Bytes>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Results left out for all readers.
    skipped: Counter,
    _place: OpenStream,
}

impl Reader {
    /// A reader of `watch`, who has what the id `last` says. It ends when the server stops, or when all its metrics are
    /// gone.
    #[must_use]
    pub fn new(app: &App, watch: Watch, form: Form, last: Option<&str>, place: OpenStream) -> Reader {
        let count = watch.channels.len();
        let mut reader = Reader {
            known: vec![None; count],
            fresh: Places::first(count),
            gone: Places::default(),
            newest: 0,
            seen: None,
            body: None,
            stop: Box::pin(app.stop().clone().cancelled_owned()),
            skipped: app.counters().pushes_skipped.clone(),
            form,
            watch,
            _place: place,
        };
        match form {
            Form::Results => {
                reader.seen = last.and_then(|last| last.trim().parse().ok());
                let place = |seen| reader.watch.channels.first()?.place_of(seen);
                reader.known = vec![reader.seen.and_then(place); count];
            }
            Form::Changes => {
                let cursor = last.and_then(Cursor::parse);
                let is_ours =
                    |cursor: &Cursor| cursor.run == reader.watch.run && cursor.set == reader.watch.set;
                if let Some(cursor) = cursor.filter(is_ours) {
                    let place = |channel: &std::sync::Arc<super::channel::Channel>| {
                        channel.place_at(cursor.known_of(channel.number))
                    };
                    reader.known = reader.watch.channels.iter().map(place).collect();
                    reader.newest = cursor.known;
                }
            }
        }
        reader
    }

    /// The next piece, if there is one now.
    fn next(&mut self) -> Option<Bytes> {
        if let Some(body) = self.body.take() {
            return Some(body);
        }
        self.fresh.add(self.watch.mailbox.take_places());
        // States for those of whom nothing is known go first: until then, ids would have to name all of them.
        let (unknown, known): (Vec<usize>, Vec<usize>) =
            self.fresh.iter().partition(|at| self.known.get(*at).is_some_and(Option::is_none));
        unknown.into_iter().chain(known).find_map(|at| self.next_of(at))
    }

    fn next_of(&mut self, at: usize) -> Option<Bytes> {
        let (channel, known) = (self.watch.channels.get(at)?, *self.known.get(at)?);
        match channel.next(known, self.form == Form::Results, &self.watch.mailbox, at) {
            Next::Soon => None,
            Next::Nothing => {
                self.fresh.remove(at);
                None
            }
            Next::Gone => {
                self.fresh.remove(at);
                self.gone.insert(at);
                Some(self.farewell(at))
            }
            Next::Body { place, body } => {
                self.fresh.remove(at);
                self.newest = self.newest.max(place.at);
                if let Some(known) = self.known.get_mut(at) {
                    *known = Some(place);
                }
                if known.is_none() && self.seen.take() == Some(place.revision) {
                    return None;
                }
                let skipped = known.map_or(0, |known| place.ordinal.saturating_sub(known.ordinal + 1));
                Some(self.piece(at, known.is_none(), place, skipped, body))
            }
        }
    }

    fn piece(&mut self, at: usize, is_first: bool, place: Place, skipped: u64, body: Body) -> Bytes {
        let mut head = String::with_capacity(
            160 + if body.bytes.len() > MAX_COPIED_BYTES { 0 } else { body.bytes.len() },
        );
        // Writing to a String cannot fail.
        match self.form {
            Form::Results => {
                let _ = write!(head, "id: {}\nevent: result\ndata: {{", place.revision);
            }
            Form::Changes => {
                self.write_id(is_first && body.kind == Kind::State, &mut head);
                let _ = write!(head, "event: {}\ndata: {{\"metric\":", body.kind.as_str());
            }
        }
        let mut head = head.into_bytes();
        if self.form == Form::Changes {
            let name = self.watch.channels.get(at).map(|channel| &*channel.name);
            write_string(name.unwrap_or_default(), &mut head);
            head.push(b',');
        }
        if skipped > 0 {
            self.skipped.inc_by(skipped);
            head.extend_from_slice(format!("\"skipped\":{skipped},").as_bytes());
        }
        if body.bytes.len() <= MAX_COPIED_BYTES {
            head.extend_from_slice(&body.bytes);
        } else {
            self.body = Some(body.bytes);
        }
        head.into()
    }

    /// Writes the id of what is known now. A first state needs none while others are still to come: who comes back
    /// with an older id is given it once more.
    fn write_id(&mut self, is_first_state: bool, out: &mut String) {
        // What was published before the newest known has left word by now.
        self.fresh.add(self.watch.mailbox.take_places());
        let is_unknown = |at: usize| self.known.get(at).is_some_and(Option::is_none);
        if is_first_state && self.fresh.iter().any(is_unknown) {
            return;
        }
        let behind = self.fresh.iter().filter_map(|at| {
            let (channel, known) = (self.watch.channels.get(at)?, self.known.get(at)?);
            let Some(known) = known else { return Some((channel.number, 0)) };
            let newest = channel.newest()?;
            let is_next = newest.ordinal == known.ordinal + 1 && newest.at > self.newest;
            (newest.ordinal != known.ordinal && !is_next).then_some((channel.number, known.at))
        });
        let behind = behind.collect();
        let cursor = Cursor { run: self.watch.run, set: self.watch.set, known: self.newest, behind };
        out.push_str("id: ");
        cursor.write(out);
        out.push('\n');
    }

    fn farewell(&self, at: usize) -> Bytes {
        let mut out = b"event: gone\ndata: {".to_vec();
        if let (Form::Changes, Some(channel)) = (self.form, self.watch.channels.get(at)) {
            out.extend_from_slice(b"\"metric\":");
            write_string(&channel.name, &mut out);
        }
        out.extend_from_slice(b"}\n\n");
        out.into()
    }

    fn is_over(&self) -> bool {
        self.gone == Places::first(self.watch.channels.len())
    }
}

impl Stream for Reader {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let reader = &mut *self;
        if reader.stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        reader.watch.mailbox.register(context.waker());
        if let Some(piece) = reader.next() {
            return Poll::Ready(Some(Ok(piece)));
        }
        if reader.is_over() {
            return Poll::Ready(None);
        }
        match reader.watch.mailbox.take_beat() {
            true => Poll::Ready(Some(Ok(Bytes::from_static(b":\n\n")))),
            false => Poll::Pending,
        }
    }
}
