//! Answers of the operation routes.

use std::collections::BTreeMap;

use serde::Serialize;

/// `GET /api/v1/status`.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// `OK`, `WARN` or `DOWN`.
    pub status: &'static str,
    /// Semantic version.
    pub version: &'static str,
}

/// `GET /api/v1/health-json`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthReport {
    /// `OK`, `WARN` or `DOWN`.
    pub status: &'static str,
    /// A sentence.
    pub status_message: String,
    /// Since the start.
    pub uptime: String,
    /// Semantic version.
    pub version: &'static str,
    /// What is well.
    pub oks: Vec<HealthItem>,
    /// What should be looked at.
    pub warnings: Vec<HealthItem>,
    /// What does not work.
    pub down: Vec<HealthItem>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthItem {
    /// Its name.
    pub name: &'static str,
    /// `OK`, `WARN` or `DOWN`.
    pub status: &'static str,
    /// A sentence.
    pub status_message: String,
    /// Details.
    pub fields: BTreeMap<String, String>,
}
