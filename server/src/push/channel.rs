//! One watched metric: subscribed to once, written once, read by many.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_engine::live::{LiveResult, Received, Subscription};
use weir_query::program::Keys;

use super::body::Body;
use super::channels::Work;
use super::mailbox::Mailbox;
use super::revision::{Place, Revision};
use crate::app::{Gate, Ticket};

/// Results of a metric kept besides the newest, so that readers who missed some, or come back, get deltas.
const MAX_KEPT_REVISIONS: usize = 8;

/// One watched metric.
pub(super) struct Channel {
    pub(super) number: u64,
    pub(super) name: Arc<str>,
    subscription: Subscription,
    bell: Arc<Bell>,
    news: Mutex<News>,
    readers: Mutex<Readers>,
}

/// Calls for a turn of a channel; once however often it is rung before the turn comes.
struct Bell {
    number: u64,
    is_rung: AtomicBool,
    work: Sender<Work>,
}

/// What readers are given.
#[derive(Default)]
struct News {
    keys: Option<Keys>,
    /// The newest last.
    kept: VecDeque<Kept>,
    /// What leads to the newest, by the ordinal it leads from; `None`: from nothing.
    bodies: Vec<(Option<u64>, Body)>,
    /// Who waits for a body from which base.
    asked: Vec<(Option<u64>, Arc<Mailbox>, usize)>,
    closed: bool,
}

struct Kept {
    revision: Arc<Revision>,
    /// Room among all that is kept; the newest needs none.
    _room: Option<Ticket>,
}

struct Readers {
    list: Vec<(Arc<Mailbox>, usize)>,
    /// Since when there are none.
    left_at: Instant,
}

/// What a channel has for a reader.
pub(super) enum Next {
    /// It knows the newest.
    Nothing,
    /// What it needs is being made; its mailbox is marked then.
    Soon,
    /// The metric is gone.
    Gone,
    /// What leads to the newest.
    Body { place: Place, body: Body },
}

impl Bell {
    fn ring(&self) {
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            // Without the thread the server is stopping.
            let _ = self.work.send(Work::Turn(self.number));
        }
    }
}

impl News {
    fn latest(&self) -> Option<&Arc<Revision>> {
        self.kept.back().map(|kept| &kept.revision)
    }

    fn find(&self, ordinal: u64) -> Option<&Arc<Revision>> {
        self.kept.iter().map(|kept| &kept.revision).find(|revision| revision.place.ordinal == ordinal)
    }

    fn body(&self, base: Option<u64>) -> Option<&Body> {
        self.bodies.iter().find(|(from, _)| *from == base).map(|(_, body)| body)
    }

    /// Adds `revision`; the one before it is kept while there is room.
    fn add(&mut self, revision: Arc<Revision>, gate: &Gate) {
        if let Some(before) = self.kept.pop_back() {
            match gate.enter(before.revision.bytes()) {
                // What is kept has no gaps: a reader knows one of it, or something older.
                None => self.kept.clear(),
                room => self.kept.push_back(Kept { revision: before.revision, _room: room }),
            }
        }
        self.kept.push_back(Kept { revision, _room: None });
        while self.kept.len() > MAX_KEPT_REVISIONS + 1 {
            self.kept.pop_front();
        }
    }
}

impl Channel {
    /// A channel over `subscription`; its first turn comes as soon as there is a result.
    pub(super) fn new(
        number: u64,
        name: &str,
        subscription: Subscription,
        keys: Option<Keys>,
        work: Sender<Work>,
    ) -> Channel {
        let bell = Arc::new(Bell { number, is_rung: AtomicBool::new(false), work });
        let news = Mutex::new(News { keys, ..News::default() });
        let readers = Mutex::new(Readers { list: Vec::new(), left_at: Instant::now() });
        Channel { number, name: Arc::from(name), subscription, bell, news, readers }
    }

    /// Begins to listen; after the channel can be found by its number.
    pub(super) fn listen(&self) {
        let bell = Arc::clone(&self.bell);
        self.subscription.set_waker(move || bell.ring());
    }

    /// From now on `mailbox` hears of what is new, as of its place `at`.
    pub(super) fn join(&self, mailbox: &Arc<Mailbox>, at: usize) {
        self.readers.lock().list.push((Arc::clone(mailbox), at));
    }

    /// `mailbox` hears nothing more.
    pub(super) fn leave(&self, mailbox: &Arc<Mailbox>) {
        let mut readers = self.readers.lock();
        readers.list.retain(|(reader, _)| !Arc::ptr_eq(reader, mailbox));
        readers.left_at = Instant::now();
    }

    /// Nobody has read it for this long.
    pub(super) fn is_idle(&self, longer_than: Duration) -> bool {
        let readers = self.readers.lock();
        readers.list.is_empty() && readers.left_at.elapsed() > longer_than
    }

    /// The metric is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.news.lock().closed
    }

    /// A sign of life for all readers.
    pub(super) fn beat(&self) {
        self.readers.lock().list.iter().for_each(|(reader, _)| reader.beat());
    }

    /// The metric was defined anew.
    pub(super) fn set_keys(&self, keys: Option<Keys>) {
        self.news.lock().keys = keys;
    }

    /// The newest result that was published up to `known`, if it is among those kept.
    pub(super) fn place_at(&self, known: u64) -> Option<Place> {
        let news = self.news.lock();
        let places = news.kept.iter().rev().map(|kept| kept.revision.place);
        places.into_iter().find(|place| place.at <= known)
    }

    /// The place of a revision, if it is among those kept.
    pub(super) fn place_of(&self, revision: u64) -> Option<Place> {
        let news = self.news.lock();
        let places = news.kept.iter().rev().map(|kept| kept.revision.place);
        places.into_iter().find(|place| place.revision == revision)
    }

    /// The place of the newest result.
    pub(super) fn newest(&self) -> Option<Place> {
        self.news.lock().latest().map(|latest| latest.place)
    }

    /// What leads a reader who knows `known` to the newest: the whole state where it wants that. What is not there yet
    /// is asked for.
    pub(super) fn next(
        &self,
        known: Option<Place>,
        wants_whole: bool,
        mailbox: &Arc<Mailbox>,
        at: usize,
    ) -> Next {
        let mut news = self.news.lock();
        if news.closed {
            return Next::Gone;
        }
        let Some(place) = news.latest().map(|latest| latest.place) else { return Next::Soon };
        let known = known.map(|known| known.ordinal);
        if known == Some(place.ordinal) {
            return Next::Nothing;
        }
        let from = known.filter(|_| !wants_whole);
        let base = from.filter(|from| news.body(Some(*from)).is_some() || news.find(*from).is_some());
        if let Some(body) = news.body(base) {
            return Next::Body { place, body: body.clone() };
        }
        if !news.asked.iter().any(|(_, reader, _)| Arc::ptr_eq(reader, mailbox)) {
            news.asked.push((base, Arc::clone(mailbox), at));
        }
        drop(news);
        self.bell.ring();
        Next::Soon
    }

    /// Publishes what came, and makes what was asked for.
    pub(super) fn turn(&self, published: &mut u64, gate: &Gate) {
        self.bell.is_rung.store(false, Ordering::Release);
        loop {
            match self.subscription.try_receive() {
                Received::Waiting => break,
                Received::Result { result, skipped } => self.publish(&result, skipped, published, gate),
                Received::Closed => {
                    self.news.lock().closed = true;
                    self.mark_all();
                    return;
                }
            }
        }
        self.make_asked();
    }

    fn publish(&self, result: &Arc<LiveResult>, skipped: u64, published: &mut u64, gate: &Gate) {
        let (keys, before) = {
            let news = self.news.lock();
            (news.keys.clone(), news.latest().map(Arc::clone))
        };
        *published += 1;
        let ordinal = before.as_ref().map_or(0, |before| before.place.ordinal + 1 + skipped);
        let place = Place { at: *published, ordinal, revision: result.revision };
        let revision = Arc::new(Revision::new(place, result, keys.as_ref()));
        // Most readers know the result before this one, and are many: what they need is there before they ask.
        let is_read = !self.readers.lock().list.is_empty();
        let bodies = match &before {
            Some(before) if is_read => Self::make(Some(before), &revision),
            _ => Vec::new(),
        };
        let mut news = self.news.lock();
        news.add(revision, gate);
        news.bodies = bodies;
        drop(news);
        self.mark_all();
    }

    /// What leads from `base` to `latest`, under each base it serves.
    fn make(base: Option<&Arc<Revision>>, latest: &Revision) -> Vec<(Option<u64>, Body)> {
        let Some(base) = base else { return vec![(None, Body::state(None, latest))] };
        let from = Some(base.place.ordinal);
        match Body::between(base, latest) {
            Some(body) => vec![(from, body)],
            // What is retracted depends on what the reader has.
            None if latest.retracted.is_some() => vec![(from, Body::state(Some(base), latest))],
            None => {
                let body = Body::state(None, latest);
                vec![(from, body.clone()), (None, body)]
            }
        }
    }

    fn make_asked(&self) {
        let (asked, latest) = {
            let mut news = self.news.lock();
            let Some(latest) = news.latest().map(Arc::clone) else { return };
            (std::mem::take(&mut news.asked), latest)
        };
        for (from, reader, at) in asked {
            let base = {
                let news = self.news.lock();
                let base = from.and_then(|from| news.find(from)).map(Arc::clone);
                let is_made = news.body(base.as_ref().map(|base| base.place.ordinal)).is_some();
                (!is_made).then_some(base)
            };
            if let Some(base) = base {
                let made = Self::make(base.as_ref(), &latest);
                let mut news = self.news.lock();
                for (from, body) in made {
                    if news.body(from).is_none() {
                        news.bodies.push((from, body));
                    }
                }
            }
            reader.mark(at);
        }
    }

    fn mark_all(&self) {
        self.readers.lock().list.iter().for_each(|(reader, at)| reader.mark(*at));
    }
}
