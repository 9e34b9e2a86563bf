//! Real, public queries parse.
use weir_query::parser::parse;
fn corpus() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus/cql.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| {
            let v: serde_json::Value = serde_json::from_str(line).unwrap();
            (v["id"].as_str().unwrap().to_owned(), v["text"].as_str().unwrap().to_owned())
        })
        .collect()
}
#[test]
fn corpus_parses() {
    let all = corpus();
    let start = std::time::Instant::now();
    let mut bad = 0;
    for (id, text) in &all {
        let parsed = parse(text);
        if !parsed.diagnostics.list.is_empty() {
            bad += 1;
            let d = &parsed.diagnostics.list[0];
            let s = d.span.start as usize;
            let lo = (0..=s.saturating_sub(60)).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
            let hi =
                (s + 30..).find(|&i| i >= text.len() || text.is_char_boundary(i)).unwrap().min(text.len());
            println!(
                "{id} n={} {} :: {:?}<HERE>{:?}",
                parsed.diagnostics.list.len(),
                d.message,
                &text[lo..s],
                &text[s..hi]
            );
        }
    }
    println!("{bad} of {} in {:?}", all.len(), start.elapsed());
}
