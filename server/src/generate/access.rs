//! Access log lines in combined format.

use super::draw::{Draw, time};

const PAGES: [&str; 10] = [
    "/",
    "/index.html",
    "/products",
    "/api/v1/cart",
    "/assets/app.js",
    "/assets/app.css",
    "/images/logo.png",
    "/login",
    "/search",
    "/feed.xml",
];
const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
    "curl/8.9.1",
    "Googlebot/2.1 (+http://www.google.com/bot.html)",
    "Go-http-client/2.0",
];
const REFERERS: [&str; 4] =
    ["-", "https://shop.example/", "https://shop.example/search?q=boots", "https://news.example/today"];

/// Appends one line without its line feed.
pub(super) fn line(draw: &mut Draw, nanos: i64, out: &mut Vec<u8>) {
    let address = draw.address();
    let user = if draw.chance(50) { format!("user{}", draw.skewed_below(5_000)) } else { "-".to_owned() };
    let at = time(nanos, "%d/%b/%Y:%H:%M:%S %z");
    let method = if draw.chance(120) { "POST" } else { "GET" };
    let page = draw.skewed(&PAGES);
    let query = if draw.chance(300) { format!("?id={}", draw.skewed_below(100_000)) } else { String::new() };
    let status = match draw.below(1_000) {
        0..8 => 500,
        8..12 => 502,
        12..50 => 404,
        50..110 => 304,
        110..140 => 301,
        _ => 200,
    };
    let bytes = if status == 304 { 0 } else { draw.latency(5_200.0) };
    let (referer, agent) = (draw.skewed(&REFERERS), draw.skewed(&AGENTS));
    let line = format!(
        r#"{address} - {user} [{at}] "{method} {page}{query} HTTP/1.1" {status} {bytes} "{referer}" "{agent}""#
    );
    out.extend_from_slice(line.as_bytes());
}
