//! Who may do what: tokens with scopes, kept as hashes, compared in constant time.
//!
//! Tokens are long random strings, so a plain SHA-256 keeps them: there is nothing to guess word by word. What is
//! configured is the hash alone (`printf %s "$TOKEN" | sha256sum`); a configuration file that leaks gives nobody
//! access.

mod credentials;
mod origin;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

pub use credentials::{MAX_CREDENTIAL_BYTES, candidates};
pub use origin::check_origin;

/// What a token allows. An admin may do everything; ingest and query exclude each other unless both are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Send events.
    Ingest,
    /// Read events, metrics and facts.
    Query,
    /// Everything, repositories and standing metrics included.
    Admin,
}

/// One `[[tokens]]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    /// A name for people; it appears in logs where the token must not.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// SHA-256 of the token, in hexadecimal.
    pub sha256: String,
    /// Where events go that come in by an address without a repository; `default` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The parser that events go through which come with it, whatever their senders say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parser: Option<String>,
}

impl TokenEntry {
    /// Checks that it can ever match.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        if self.scopes.is_empty() {
            return Err("has no scopes".to_owned());
        }
        parse_hash(&self.sha256).map(|_| ()).ok_or_else(|| "sha256 must be 64 hexadecimal digits".to_owned())
    }
}

/// The configured tokens, ready to be compared with.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    list: Vec<Token>,
}

#[derive(Clone, Debug)]
struct Token {
    bearer: Bearer,
    scopes: Vec<Scope>,
    hash: [u8; 32],
}

/// Whose token it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bearer {
    /// The token's name; `None` where no tokens are configured.
    pub name: Option<String>,
    /// Where its events go when the address does not say.
    pub repository: Option<String>,
    /// The parser that its events go through.
    pub parser: Option<String>,
}

/// What a check of credentials found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Allowed.
    Granted(Bearer),
    /// No token, or none of ours.
    Unknown,
    /// A token of ours without this scope.
    Forbidden,
}

impl Tokens {
    /// Takes over the configured entries; wrong ones were refused when the settings were read.
    #[must_use]
    pub fn new(entries: &[TokenEntry]) -> Tokens {
        let token = |entry: &TokenEntry| {
            let hash = parse_hash(&entry.sha256)?;
            let bearer = Bearer {
                name: Some(entry.name.clone()),
                repository: entry.repository.clone(),
                parser: entry.parser.clone(),
            };
            Some(Token { bearer, scopes: entry.scopes.clone(), hash })
        };
        Tokens { list: entries.iter().filter_map(token).collect() }
    }

    /// No tokens: everyone may do everything.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.list.is_empty()
    }

    /// Looks the value of an `Authorization` header up. Takes the same time for every wrong token: each candidate
    /// is compared with every hash.
    #[must_use]
    pub fn check(&self, header: Option<&str>, scope: Scope) -> Access {
        if self.is_open() {
            return Access::Granted(Bearer::default());
        }
        let mut found: u32 = u32::MAX;
        for candidate in header.map(candidates).unwrap_or_default() {
            let hash: [u8; 32] = Sha256::digest(candidate.as_bytes()).into();
            for (at, token) in (0_u32..).zip(&self.list) {
                found.conditional_assign(&at, hash.as_slice().ct_eq(token.hash.as_slice()));
            }
        }
        match self.list.get(found as usize) {
            None => Access::Unknown,
            Some(token) if token.scopes.contains(&scope) || token.scopes.contains(&Scope::Admin) => {
                Access::Granted(token.bearer.clone())
            }
            Some(_) => Access::Forbidden,
        }
    }
}

fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0_u8; 32];
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        let entry = |name: &str, scope, token: &str| TokenEntry {
            name: name.to_owned(),
            scopes: vec![scope],
            sha256: Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect(),
            repository: None,
            parser: None,
        };
        Tokens::new(&[
            entry("shipper", Scope::Ingest, "in"),
            entry("analyst", Scope::Query, "out"),
            entry("boss", Scope::Admin, "all"),
        ])
    }

    #[test]
    fn scopes_hold() {
        let granted =
            |name: &str| Access::Granted(Bearer { name: Some(name.to_owned()), ..Bearer::default() });
        let table = [
            (Some("Bearer in"), Scope::Ingest, granted("shipper")),
            (Some("bearer in"), Scope::Query, Access::Forbidden),
            (Some("Splunk in"), Scope::Ingest, granted("shipper")),
            (Some("Bearer out"), Scope::Query, granted("analyst")),
            (Some("Bearer out"), Scope::Ingest, Access::Forbidden),
            (Some("Bearer all"), Scope::Ingest, granted("boss")),
            (Some("Basic aW46"), Scope::Ingest, granted("shipper")),
            (Some("Basic dXNlcjppbg=="), Scope::Ingest, granted("shipper")),
            (Some("Bearer wrong"), Scope::Query, Access::Unknown),
            (Some("in"), Scope::Ingest, Access::Unknown),
            (None, Scope::Query, Access::Unknown),
        ];
        for (header, scope, expected) in table {
            assert_eq!(tokens().check(header, scope), expected, "{header:?} {scope:?}");
        }
        assert_eq!(Tokens::default().check(None, Scope::Admin), Access::Granted(Bearer::default()));
    }

    #[test]
    fn entries_are_checked() {
        let entry = |sha256: &str, scopes: Vec<Scope>| TokenEntry {
            name: "x".to_owned(),
            scopes,
            sha256: sha256.to_owned(),
            repository: None,
            parser: None,
        };
        assert!(entry(&"a".repeat(64), vec![Scope::Query]).check().is_ok());
        assert!(entry(&"a".repeat(64), vec![]).check().is_err());
        assert!(entry(&"g".repeat(64), vec![Scope::Query]).check().is_err());
        assert!(entry("abc", vec![Scope::Query]).check().is_err());
    }
}
