//! What goes over the wire: types that serde reads and writes, and nothing else.

mod operation;
mod repository;

pub use operation::{HealthItem, HealthReport, Status};
pub use repository::RepositoryFacts;
