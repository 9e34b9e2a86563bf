//! Figures, not laws: `cargo test --release -p weir-engine --lib measure -- --ignored --nocapture`.

use std::sync::Arc;
use std::time::Instant;

use weir_query::compile::TextMatcher;
use weir_query::record::{Rows, Selection};

use crate::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};
use crate::store::block::bytes::Bytes;
use crate::store::block::{Block, EncodedBlock, encode_blocks};
use crate::store::segment::{Segment, SegmentWriter};

/// Numbers that look random: SplitMix64 (Steele, Lea, Flood 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Small numbers often, large ones seldom.
    fn skewed(&mut self, limit: u64) -> u64 {
        let unit = self.below(1 << 20) as f64 / (1u64 << 20) as f64;
        (unit.powi(4) * limit as f64) as u64
    }
}

/// Application and access events of a shop, about 290 bytes each.
pub(crate) fn events(count: usize) -> Vec<String> {
    let mut n = Numbers(42);
    let services = [
        "api", "auth", "billing", "cart", "catalog", "checkout", "gateway", "mailer", "orders", "payments",
        "search", "users",
    ];
    let paths = [
        "/api/v1/items",
        "/api/v1/cart",
        "/login",
        "/checkout",
        "/api/v2/search",
        "/health",
        "/api/v1/orders",
    ];
    let mut micros = 1_763_640_000_000_000u64;
    let mut line = |_| {
        micros += n.below(900);
        let time = jiff::Timestamp::from_microsecond(micros as i64).unwrap();
        let time = format!("{time:.3}");
        let (service, host, user) = (services[n.skewed(12) as usize], n.below(40), n.skewed(10_000));
        let trace = format!("{:016x}{:016x}", n.next(), n.next());
        let level = ["INFO", "INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"][n.below(7) as usize];
        if n.below(3) == 0 {
            let path = paths[n.skewed(7) as usize];
            let status = [200, 200, 200, 200, 201, 304, 404, 500][n.below(8) as usize];
            return format!(
                r#"{{"timestamp":"{time}","level":"{level}","service":"{service}","host":"host-{host:02}","trace_id":"{trace}","user":"user{user}","method":"GET","path":"{path}/{}","status":{status},"duration_ms":{},"bytes":{},"message":"request completed"}}"#,
                n.skewed(100_000),
                n.skewed(8_000),
                n.below(60_000),
            );
        }
        let message = match n.below(6) {
            0 => format!(
                "connection to 10.{}.{}.{} timed out after {}ms",
                n.below(4),
                n.below(256),
                n.below(256),
                n.skewed(30_000)
            ),
            1 => format!("cache miss for key session:{:08x}", n.next() as u32),
            2 => format!(
                "order {} placed by user{user} total {}.{:02} EUR",
                n.below(9_000_000),
                n.skewed(900),
                n.below(100)
            ),
            3 => format!("retrying payment attempt {} of 5", n.below(5) + 1),
            4 => "worker heartbeat".to_owned(),
            _ => format!(
                "query finished rows={} took={}.{}ms plan=idx_{}",
                n.skewed(5_000),
                n.below(90),
                n.below(10),
                services[n.below(12) as usize]
            ),
        };
        format!(
            r#"{{"timestamp":"{time}","level":"{level}","service":"{service}","host":"host-{host:02}","trace_id":"{trace}","user":"user{user}","thread":"worker-{}","duration_ms":{},"message":"{message}"}}"#,
            n.below(16),
            n.skewed(8_000),
        )
    };
    (0..count).map(&mut line).collect()
}

fn batches(lines: &[impl AsRef<[u8]>], json: bool) -> Vec<Arc<EventBatch>> {
    let tags = TagSet::none();
    let mut base = 0;
    let chunks = lines.chunks(16_384).map(|chunk| {
        let mut builder =
            EventBatchBuilder::new(EventLimits::default()).with_reference(1_700_000_000_000_000_000);
        for line in chunk {
            if json {
                builder.push_json(line.as_ref(), None, &tags, None).unwrap();
            } else {
                builder.push_text(line.as_ref(), None, &tags, None).unwrap();
            }
        }
        let batch = builder.finish(1_763_640_000_000_000_000).with_sequence(base);
        base += chunk.len() as u64;
        Arc::new(batch)
    });
    chunks.collect()
}

/// CPU seconds of this thread, where the system tells them; else seconds.
fn now() -> f64 {
    let nanos = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = nanos.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    nanos.map_or_else(|| START.get_or_init(Instant::now).elapsed().as_secs_f64(), |nanos| nanos as f64 / 1e9)
}

fn timed<T>(what: impl FnOnce() -> T) -> (T, f64) {
    // The system brings the count up to date when the thread is switched.
    std::thread::yield_now();
    let start = now();
    let value = what();
    std::thread::yield_now();
    (value, now() - start)
}

fn report(name: &str, lines: &[impl AsRef<[u8]>], json: bool) {
    let raw: usize = lines.iter().map(|line| line.as_ref().len() + 1).sum();
    let mut whole = Vec::with_capacity(raw);
    lines.iter().for_each(|line| {
        whole.extend_from_slice(line.as_ref());
        whole.push(b'\n');
    });
    let (zstd3, _) = timed(|| zstd::bulk::compress(&whole, 3).unwrap().len());
    let batches = batches(lines, json);
    let mut blocks: Vec<EncodedBlock> = Vec::new();
    let (encoded, encode) = timed(|| {
        encode_blocks(&batches, |block| {
            blocks.push(block);
            Ok(())
        })
    });
    encoded.unwrap();
    let stored: usize = blocks.iter().map(|block| block.bytes.len()).sum();
    let open: Vec<Block> =
        blocks.iter().map(|block| Block::parse(Bytes::new(block.bytes.clone())).unwrap()).collect();
    let (_, decode) = timed(|| {
        let mut bytes = 0;
        for block in &open {
            block.for_each_raw(&Selection::all(block.rows()), &mut |_, raw| bytes += raw.len()).unwrap();
        }
        bytes
    });
    let (segment, seal) = timed(|| {
        let mut writer = SegmentWriter::new(Vec::new(), 1).unwrap();
        blocks.into_iter().for_each(|block| writer.push(block).unwrap());
        let (bytes, facts) = writer.finish().unwrap();
        (Segment::from_bytes(bytes.into(), 1).unwrap(), facts)
    });
    let (segment, facts) = segment;
    let events = lines.len() as f64;
    println!(
        "{name}: {} events of {:.0} bytes; zstd-3 {:.1} B/event; blocks {:.1}, index {:.1}, file {:.1} B/event = {:.2} of zstd-3; encode {:.2} us/event, seal {:.2}; decode {:.3} us/event = {:.0} MB/s",
        lines.len(),
        raw as f64 / events,
        zstd3 as f64 / events,
        stored as f64 / events,
        facts.index_bytes as f64 / events,
        facts.file_bytes as f64 / events,
        facts.file_bytes as f64 / zstd3 as f64,
        encode * 1e6 / events,
        seal * 1e6 / events,
        decode * 1e6 / events,
        raw as f64 / decode / 1e6,
    );
    for literal in ["ERROR", "timed out after", "nothing to find", "7777", "\"status\":500", "worker-3"] {
        let matcher = TextMatcher::contains(literal);
        let (found, search) = timed(|| {
            let of = |block: &Block| block.search(&matcher, &Selection::all(block.rows())).unwrap().count();
            open.iter().map(of).sum::<usize>()
        });
        let required =
            weir_query::compile::Required::Text { literal: literal.as_bytes().to_vec(), ignore_case: false };
        let (left, prune) = timed(|| segment.prune(&required, i64::MIN, i64::MAX));
        println!(
            "  search {literal:?}: {found} rows, {:.0} ns/event = {:.1} GB/s; prune leaves {} of {} granules in {:.0} us",
            search * 1e9 / events,
            raw as f64 / search / 1e9,
            left.granules.len(),
            left.counters.granules,
            prune * 1e6,
        );
    }
    for field in ["service", "status", "duration_ms", "user", "message", "@timestamp", "trace_id"] {
        let fresh: Vec<Arc<Block>> =
            (0..segment.block_count()).map(|index| segment.block(index).unwrap()).collect();
        let column = |block: &Arc<Block>| block.column(field, &Selection::all(block.rows())).unwrap().len();
        let (_, first) = timed(|| fresh.iter().map(column).sum::<usize>());
        let (_, again) = timed(|| fresh.iter().map(column).sum::<usize>());
        println!("  column {field}: {:.2} ns/row, again {:.2}", first * 1e9 / events, again * 1e9 / events);
    }
}

#[test]
#[ignore = "measures; run in release"]
fn measure() {
    report("logs", &events(200_000), true);
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    for folder in std::fs::read_dir(root).into_iter().flatten().flatten() {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let path = file.path();
            let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
            if !matches!(kind, "log" | "ndjson") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let lines: Vec<&[u8]> =
                bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
            report(path.file_name().unwrap().to_str().unwrap(), &lines, kind == "ndjson");
        }
    }
}
