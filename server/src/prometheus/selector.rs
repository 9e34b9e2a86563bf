//! Which series are meant: `errors{service="cart",host!~"test.*"}`.

use regex::Regex;

use super::labels::{Labels, NAME};

/// The most bytes a compiled regex of a matcher may take.
pub(super) const MAX_REGEX_BYTES: usize = 1 << 20;

/// A condition on one label.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) test: Test,
}

/// What is asked of a label's value; of an absent label's, which is empty.
#[derive(Clone, Debug)]
pub(super) enum Test {
    /// `=`
    Equal(String),
    /// `!=`
    Unequal(String),
    /// `=~`, of the whole value.
    Match(Regex),
    /// `!~`
    NoMatch(Regex),
}

impl Test {
    /// The test of an operator; `None`: there is no such operator.
    ///
    /// # Errors
    /// What is wrong with the regex.
    pub(super) fn new(operator: &str, value: &str) -> Result<Option<Test>, String> {
        let regex = || {
            let anchored = format!("^(?s:{value})$");
            let built = regex::RegexBuilder::new(&anchored).size_limit(MAX_REGEX_BYTES).build();
            built.map_err(|error| match error {
                regex::Error::CompiledTooBig(limit) => format!("the regex takes more than {limit} bytes"),
                error => {
                    let text = error.to_string();
                    format!("the regex is wrong: {}", text.lines().last().unwrap_or_default())
                }
            })
        };
        Ok(Some(match operator {
            "=" => Test::Equal(value.to_owned()),
            "!=" => Test::Unequal(value.to_owned()),
            "=~" => Test::Match(regex()?),
            "!~" => Test::NoMatch(regex()?),
            _ => return Ok(None),
        }))
    }

    pub(super) fn passes(&self, value: &str) -> bool {
        match self {
            Test::Equal(wanted) => value == wanted,
            Test::Unequal(unwanted) => value != unwanted,
            Test::Match(regex) => regex.is_match(value),
            Test::NoMatch(regex) => !regex.is_match(value),
        }
    }
}

/// Which series are meant.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    pub(super) matchers: Vec<Matcher>,
}

impl Selector {
    /// Whether series of this name may be meant.
    #[must_use]
    pub fn may_be_named(&self, name: &str) -> bool {
        self.matchers.iter().filter(|matcher| matcher.label == NAME).all(|matcher| matcher.test.passes(name))
    }

    /// Whether a series with these labels is meant.
    #[must_use]
    pub fn is_match(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| matcher.test.passes(labels.get(&matcher.label)))
    }

    /// Every series is meant.
    pub(super) fn is_all(&self) -> bool {
        self.matchers.iter().all(|matcher| matcher.test.passes(""))
    }
}
