//! Syslog lines (RFC 3164) of several daemons.

use super::draw::{Draw, time};

const HOSTS: [&str; 6] = ["gate", "mail", "db1", "db2", "build", "backup"];
const NAMES: [&str; 8] = ["root", "admin", "deploy", "git", "postgres", "oracle", "test", "ubuntu"];

/// Appends one line without its line feed.
pub(super) fn line(draw: &mut Draw, nanos: i64, out: &mut Vec<u8>) {
    let (at, host) = (time(nanos, "%b %e %H:%M:%S"), draw.skewed(&HOSTS));
    let pid = draw.between(300, 32_000);
    let said = match draw.below(100) {
        0..30 => format!(
            "sshd[{pid}]: Failed password for invalid user {} from {} port {} ssh2",
            draw.skewed(&NAMES),
            draw.address(),
            draw.between(1_024, 65_000)
        ),
        30..45 => format!(
            "sshd[{pid}]: Accepted publickey for {} from {} port {} ssh2: ED25519 SHA256:{:x}",
            draw.skewed(&NAMES),
            draw.address(),
            draw.between(1_024, 65_000),
            draw.below(u64::MAX)
        ),
        45..60 => format!(
            "CRON[{pid}]: ({}) CMD (/usr/local/bin/rotate --keep {})",
            draw.skewed(&NAMES),
            draw.below(30)
        ),
        60..75 => format!(
            "kernel: [{}.{:06}] TCP: request_sock_TCP: Possible SYN flooding on port {}. Sending cookies.",
            nanos.div_euclid(1_000_000_000) % 10_000_000,
            draw.below(1_000_000),
            draw.skewed_below(1_024)
        ),
        75..90 => format!(
            "postfix/smtpd[{pid}]: {:010X}: client=unknown[{}], sasl_username={}",
            draw.below(1 << 40),
            draw.address(),
            draw.skewed(&NAMES)
        ),
        _ => format!(
            "systemd[1]: Started session-{}.scope - Session {} of user {}.",
            draw.below(9_000),
            draw.below(9_000),
            draw.skewed(&NAMES)
        ),
    };
    out.extend_from_slice(format!("{at} {host} {said}").as_bytes());
}
