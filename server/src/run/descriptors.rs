//! Room for open files: each connection takes one, each segment and log file another.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open besides connections.
const OTHER_FILES: u64 = 512;

/// Raises this program's limit of open files as far as it may, and says when `connections` are more than it allows.
pub(super) fn raise_limit(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = (connections as u64).saturating_add(OTHER_FILES);
    let raised = Rlimit { current: limit.maximum.or(limit.current.map(|_| wanted)), maximum: limit.maximum };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => getrlimit(Resource::Nofile).current,
        Err(_) => limit.current,
    };
    // No limit at all is more than wanted.
    if let Some(allowed) = allowed.filter(|allowed| *allowed < wanted) {
        tracing::warn!(
            allowed,
            connections,
            "the system allows fewer open files than connections: further ones will be refused"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_the_system_allows() {
        raise_limit(1_000_000);
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
