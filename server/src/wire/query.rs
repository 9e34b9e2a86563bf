//! Query requests, as Humio's clients send them: unknown keys and nulls are no errors.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Body of `POST …/query` and `POST …/queryjobs`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryRequest {
    /// CQL.
    #[serde(alias = "query")]
    pub query_string: String,
    /// From when; 24 hours ago where absent.
    pub start: Option<TimeText>,
    /// Until when; now where absent.
    pub end: Option<TimeText>,
    /// Go on with what arrives.
    pub is_live: Option<bool>,
    /// An IANA name or an offset.
    pub time_zone: Option<String>,
    /// Minutes east of UTC.
    pub time_zone_offset_minutes: Option<i32>,
    /// Values of `?param`.
    pub arguments: Option<BTreeMap<String, Argument>>,
    /// Wants a histogram of what the filter lets through.
    pub show_query_event_distribution: Option<bool>,
    /// Wants no partial results.
    pub no_result_until_done: Option<bool>,
    /// Echoed.
    pub is_interactive: Option<bool>,
    /// Echoed.
    pub include_deleted_events: Option<bool>,
    /// Wants the neighbours of one event.
    pub around: Option<Around>,
}

/// A time: epoch milliseconds or text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum TimeText {
    /// Epoch milliseconds.
    Millis(i64),
    /// Epoch milliseconds with a fraction, which some clients' languages add.
    Fraction(f64),
    /// See [`crate::search::parse_time`].
    Text(String),
}

impl TimeText {
    /// As text that [`crate::search::parse_time`] reads.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            TimeText::Millis(millis) => millis.to_string(),
            TimeText::Fraction(millis) => format!("{:.0}", millis.trunc()),
            TimeText::Text(text) => text.clone(),
        }
    }
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Argument {
    /// One text.
    Text(String),
    /// Several: any of them.
    List(Vec<String>),
    /// A number or truth value, taken by its text.
    Other(serde_json::Value),
}

impl Argument {
    /// The texts it stands for.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        match self {
            Argument::Text(text) => vec![text.clone()],
            Argument::List(list) => list.clone(),
            Argument::Other(serde_json::Value::Null) => Vec::new(),
            Argument::Other(value) => vec![value.to_string()],
        }
    }
}

/// The neighbours of one event.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Around {
    /// Its `@id`.
    pub event_id: String,
    /// Its `@timestamp`.
    pub timestamp: i64,
    /// Events before it; 100 where absent.
    pub number_of_events_before: Option<usize>,
    /// Events after it; 100 where absent.
    pub number_of_events_after: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send() {
        let request: QueryRequest = serde_json::from_str(
            r#"{"queryString":"*","start":"1721000000000","end":1721000000001.0,"isLive":null,"onPartialResult":null,
                "arguments":{"a":"x","b":["y","z"],"c":5},"autobucketCount":7}"#,
        )
        .unwrap();
        assert_eq!(request.start, Some(TimeText::Text("1721000000000".to_owned())));
        assert_eq!(request.end.unwrap().to_text(), "1721000000001");
        assert_eq!(request.is_live, None);
        let texts: Vec<_> = request.arguments.unwrap().values().map(Argument::texts).collect();
        assert_eq!(texts, [vec!["x"], vec!["y", "z"], vec!["5"]]);
        assert!(serde_json::from_str::<QueryRequest>("{}").is_err());
    }
}
