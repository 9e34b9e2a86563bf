//! When lookup tables or saved queries change, what is live goes on with the new ones.
//!
//! A query that names some is compiled again. Where that makes another program of it, its metric is replaced as by a new
//! definition: the new standing is where every batch reaches it before the old one goes, and what it lacks is read from
//! history. So no batch is seen half by the one and half by the other, and no result is made of both. What no longer
//! compiles, because a table or a query is gone, goes on as it was and says so.

use std::sync::Arc;

use weir_query::compile::Known;
use weir_query::program::Program;

use super::{Live, LiveError};

/// Makes the program of a live tail anew of what queries may name; `None`: it is to stay as it is.
pub type Again = Box<dyn Fn(&Known) -> Option<Arc<Program>> + Send + Sync>;

impl Live {
    /// The lookup tables or saved queries that queries may name are others now. The names of the metrics that have become
    /// others by that.
    ///
    /// # Errors
    /// When the live thread cannot be started.
    pub fn known_changed(&self) -> Result<Vec<String>, LiveError> {
        let shared = &self.shared;
        let mut thread = shared.thread.lock();
        let known = shared.known();
        let mut changed = Vec::new();
        for metric in shared.all() {
            let (name, definition, kept, fingerprint) = {
                let metric = metric.lock();
                if !metric.program.looks_up() {
                    continue;
                }
                (metric.name.clone(), metric.definition.clone(), metric.kept, metric.program.fingerprint())
            };
            match definition.compile(&known) {
                Ok(program) if program.fingerprint() == fingerprint => metric.lock().lose(None),
                Ok(program) => {
                    shared.insert(&mut thread, &name, definition, program, kept)?;
                    changed.push(name);
                }
                Err(fault) => {
                    let told = format!("it goes on with what there was before: {fault}");
                    tracing::warn!(metric = name, "{told}");
                    metric.lock().lose(Some(told));
                    shared.stirred.lock().push(metric);
                }
            }
        }
        let broken = shared.broken.lock().clone();
        for (name, definition) in broken {
            let Ok(program) = definition.compile(&known) else { continue };
            shared.insert(&mut thread, &name, definition, program, true)?;
            shared.broken.lock().remove(&name);
            let told = format!("metric `{name}` cannot be run");
            shared.problems.lock().retain(|problem| !problem.starts_with(&told));
            changed.push(name);
        }
        shared.tails.lock().iter_mut().for_each(|entry| entry.renew(&known));
        Ok(changed)
    }
}
