//! What goes over the wire: types that serde reads and writes, and nothing else.

mod editing;
mod explain;
mod field;
mod file;
mod ingest;
mod job;
mod metric;
mod operation;
mod package;
mod parser;
mod pushed;
mod query;
mod repository;
mod saved;

pub use editing::{Checked, Completed, EditedQuery, Hovered};
pub use explain::Explained;
pub use field::FieldFacts;
pub use file::FileFacts;
pub use ingest::{IngestAnswer, IngestParameters, RejectedEvent};
pub use job::{Costs, FilterQuery, JobCreated, JobMetaData, JobPage, JobWarning};
pub use metric::{
    DurationText, KindWord, MetricFacts, MetricRequest, MetricState, OriginWord, RefinementWord, TimeWord,
    UnitWord,
};
pub use operation::{HealthItem, HealthReport, Status};
pub use package::{PackageParameters, PackageReport};
pub use parser::{CaseText, DefaultParser, ParserFacts, ParserText, Sampled, TestAnswer, TestRequest};
pub use pushed::{PushRequest, Pushed, Row};
pub use query::{Argument, Around, QueryRequest, TimeText};
pub use repository::RepositoryFacts;
pub use saved::{SavedQuery, SavedText};
