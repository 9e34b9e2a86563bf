//! Keeps web pages of strangers from talking to a server that is open on loopback.
//!
//! A page in the user's browser can send requests to `127.0.0.1`, and a name of its own that resolves there lets
//! it read the answers too. Programs send no `Origin` and name the host they connect to; so while no tokens are
//! configured, a foreign `Host` or `Origin` is refused.

/// Whether a request with these headers may be served without a token.
///
/// # Errors
/// The reason for refusing, as a sentence.
pub fn check_origin(host: Option<&str>, origin: Option<&str>, allowed: &[String]) -> Result<(), String> {
    if let Some(host) = host
        && !is_local(host, allowed)
        && address_of(host).is_none()
    {
        return Err(format!("the host {host:?} is not one this server answers to; see allowed_hosts"));
    }
    let Some(origin) = origin else { return Ok(()) };
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    if host == Some(authority) || is_local(authority, allowed) {
        return Ok(());
    }
    Err(format!("requests from pages of {origin:?} are refused; see allowed_hosts"))
}

/// Whether a name or address can only mean this machine, or was allowed.
fn is_local(authority: &str, allowed: &[String]) -> bool {
    let name = host_of(authority);
    name.eq_ignore_ascii_case("localhost")
        || address_of(authority).is_some_and(|address| address.is_loopback())
        || allowed.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The address, where the host is one rather than a name.
fn address_of(authority: &str) -> Option<std::net::IpAddr> {
    host_of(authority).trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// The host without its port; a bracketed IPv6 address keeps its brackets.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) && !host.is_empty() => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_refused() {
        let allowed = vec!["weir.example".to_owned()];
        let table = [
            (Some("127.0.0.1:9480"), None, true),
            (Some("localhost:9480"), None, true),
            (Some("[::1]:9480"), None, true),
            (Some("weir.example"), None, true),
            (Some("evil.example:9480"), None, false),
            (Some("192.0.2.7:9480"), None, true),
            (Some("localhost:9480"), Some("http://192.0.2.7"), false),
            (Some("192.0.2.7:9480"), Some("http://192.0.2.7:9480"), true),
            (None, None, true),
            (Some("localhost:9480"), Some("http://localhost:9480"), true),
            (Some("localhost:9480"), Some("http://127.0.0.1:5173"), true),
            (Some("localhost:9480"), Some("https://evil.example"), false),
            (Some("localhost:9480"), Some("null"), false),
            (Some("localhost:9480"), Some("https://weir.example"), true),
        ];
        for (host, origin, ok) in table {
            assert_eq!(check_origin(host, origin, &allowed).is_ok(), ok, "{host:?} {origin:?}");
        }
    }
}
