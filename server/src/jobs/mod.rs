//! Query jobs: created, asked about until done, forgotten when nobody asks.

mod around;
mod job;
mod kinds;
mod table;
mod view;

pub use job::{Echo, Job};
pub use kinds::Ground;
pub use table::JobTable;
pub use view::JobView;
