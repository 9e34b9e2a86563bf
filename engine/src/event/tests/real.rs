//! Every line of the shared samples of real logs.

use std::path::PathBuf;

use super::json::check_row;
use super::{NOW, batch_of, builder};
use crate::event::{EventBatch, TagSet};

/// The lines of a shared file; `None`, said aloud, where the samples are not there.
fn lines_of(name: &str) -> Option<Vec<Vec<u8>>> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(
            bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect(),
        ),
        Err(error) => {
            println!("skipped: {}: {error}", path.display());
            None
        }
    }
}

#[test]
fn json_files() {
    // How many events at least have a time of their own.
    for (name, timed) in [
        ("otrf_mit/winevents.ndjson", 1.0),
        ("otrf_mit/zeek_combined.ndjson", 1.0),
        ("nezha_mit/k8s.ndjson", 1.0),
        ("nezha_mit/spans.ndjson", 1.0),
        ("invictus_mit/cloudtrail.ndjson", 0.0),
        ("elastic_apache2/nginxplus_status.ndjson", 1.0),
    ] {
        let Some(lines) = lines_of(name) else { continue };
        let batch = batch_of(&lines);
        for (row, line) in lines.iter().enumerate() {
            assert!(batch.json(row).is_some(), "{name}: {}", String::from_utf8_lossy(line));
            check_row(&batch, row, line);
        }
        let own = (0..batch.len()).filter(|row| !batch.has_arrival_timestamp(*row)).count();
        assert!(own as f64 >= timed * batch.len() as f64, "{name}: {own} of {} have a time", batch.len());
        survives_the_log(&batch);
    }
}

#[test]
fn text_files() {
    for (name, timed) in [
        ("elastic_apache2/apache_access.log", 1.0),
        ("elastic_apache2/nginx_access.log", 1.0),
        // Some entries take several lines.
        ("elastic_apache2/kafka.log", 0.9),
        ("elastic_apache2/mysql_general.log", 0.0),
        ("nezha_mit/k8s_cri.log", 1.0),
    ] {
        let Some(lines) = lines_of(name) else { continue };
        let (mut builder, tags) = (builder(), TagSet::none());
        for line in &lines {
            builder.push_text(line, None, &tags, None).unwrap();
        }
        let batch = builder.finish(NOW);
        for (row, line) in lines.iter().enumerate() {
            assert_eq!(batch.raw(row), line);
            let year = batch.timestamp(row) / 1_000_000_000 / 31_556_952 + 1970;
            let arrived = batch.has_arrival_timestamp(row);
            assert!(arrived || (2010..2025).contains(&year), "{name}: {}", String::from_utf8_lossy(line));
        }
        let own = (0..batch.len()).filter(|row| !batch.has_arrival_timestamp(*row)).count();
        assert!(own as f64 >= timed * batch.len() as f64, "{name}: {own} of {} have a time", batch.len());
        survives_the_log(&batch);
    }
}

fn survives_the_log(batch: &EventBatch) {
    let bytes = batch.log_payload().to_vec();
    let back = EventBatch::decode_log(&bytes).unwrap();
    for row in 0..batch.len() {
        assert_eq!(back.raw(row), batch.raw(row));
        assert_eq!(back.timestamp(row), batch.timestamp(row));
        let values = |batch: &EventBatch| {
            batch.json(row).map(|part| part.values().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(values(&back), values(batch));
    }
}
