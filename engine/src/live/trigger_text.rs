//! Triggers as text: `any(count(100), every(10s))`.
//!
//! ```text
//! trigger   = name [ "(" arguments ")" ]
//! arguments = number            of count
//!           | span              of every
//!           | condition         of when: text up to the closing parenthesis
//!           | trigger { "," trigger }
//! ```

use std::time::Duration;

use weir_query::windows::parse_span;

use super::trigger::Trigger;

/// The most characters of a trigger.
pub const MAX_TRIGGER_CHARACTERS: usize = 1_000;
/// How deep triggers may be within triggers.
pub const MAX_TRIGGER_DEPTH: usize = 8;
/// The most conditions of a trigger.
pub const MAX_CONDITIONS: usize = 8;
/// The longest span of `every`.
const MAX_EVERY: Duration = super::MAX_WINDOW;

/// What is wrong with the text of a trigger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("trigger, at character {}: {what}", at + 1)]
pub struct TriggerError {
    /// Characters before the fault.
    pub at: usize,
    /// What is wrong.
    pub what: String,
}

/// A trigger and its conditions, which are CQL.
pub(super) fn parse(text: &str) -> Result<(Trigger, Vec<String>), TriggerError> {
    let mut reader = Reader { text, at: 0, conditions: Vec::new() };
    if text.chars().count() > MAX_TRIGGER_CHARACTERS {
        return Err(reader.fault(format!("it is longer than {MAX_TRIGGER_CHARACTERS} characters")));
    }
    let trigger = reader.trigger(1)?;
    match reader.peek() {
        None => Ok((trigger, reader.conditions)),
        Some(_) => Err(reader.fault("nothing more is expected".to_owned())),
    }
}

struct Reader<'t> {
    text: &'t str,
    /// Bytes read.
    at: usize,
    conditions: Vec<String>,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character that is no space.
    fn peek(&mut self) -> Option<char> {
        self.at += self.rest().len() - self.rest().trim_start().len();
        self.rest().chars().next()
    }

    fn fault(&self, what: String) -> TriggerError {
        let at = self.text.get(..self.at).unwrap_or_default().chars().count();
        TriggerError { at, what }
    }

    fn take(&mut self, expected: char) -> Result<(), TriggerError> {
        match self.peek() {
            Some(found) if found == expected => {
                self.at += found.len_utf8();
                Ok(())
            }
            Some(found) => Err(self.fault(format!("expected `{expected}`, found `{found}`"))),
            None => Err(self.fault(format!("expected `{expected}`, found the end"))),
        }
    }

    fn word(&mut self) -> &'t str {
        self.peek();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn trigger(&mut self, depth: usize) -> Result<Trigger, TriggerError> {
        self.peek();
        let begin = self.at;
        if depth > MAX_TRIGGER_DEPTH {
            return Err(self.fault(format!("triggers are more than {MAX_TRIGGER_DEPTH} deep in each other")));
        }
        let name = self.word();
        match name {
            "count" => self.in_parentheses(Reader::number).map(Trigger::Count),
            "every" => self.in_parentheses(Reader::span).map(Trigger::Every),
            "when" => self.in_parentheses(Reader::condition).map(Trigger::When),
            "watermark" => Ok(Trigger::Watermark),
            "any" => self.in_parentheses(|reader| reader.list(depth)).map(Trigger::Any),
            "all" => self.in_parentheses(|reader| reader.list(depth)).map(Trigger::All),
            "then" => self.in_parentheses(|reader| reader.list(depth)).map(Trigger::Then),
            "repeat" => self
                .in_parentheses(|reader| reader.trigger(depth + 1))
                .map(|trigger| Trigger::Repeat(Box::new(trigger))),
            _ => {
                self.at = begin;
                let known = "count, every, watermark, when, any, all, then or repeat";
                Err(self.fault(match name {
                    "" => format!("expected {known}"),
                    name => format!("expected {known}, not `{name}`"),
                }))
            }
        }
    }

    fn in_parentheses<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, TriggerError>,
    ) -> Result<T, TriggerError> {
        self.take('(')?;
        let inner = inner(self)?;
        self.take(')')?;
        Ok(inner)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Trigger>, TriggerError> {
        let mut triggers = vec![self.trigger(depth + 1)?];
        while self.peek() == Some(',') {
            self.take(',')?;
            triggers.push(self.trigger(depth + 1)?);
        }
        Ok(triggers)
    }

    fn number(&mut self) -> Result<u64, TriggerError> {
        self.peek();
        let begin = self.at;
        self.word().parse().ok().filter(|number| *number > 0).ok_or_else(|| {
            self.at = begin;
            self.fault("expected a number of events, such as 100".to_owned())
        })
    }

    fn span(&mut self) -> Result<Duration, TriggerError> {
        self.peek();
        let begin = self.at;
        let rest = self.rest();
        self.at += rest.find([')', ',']).unwrap_or(rest.len());
        let millis = self.text.get(begin..self.at).and_then(parse_span);
        let span = millis.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
        span.filter(|span| *span <= MAX_EVERY).ok_or_else(|| {
            self.at = begin;
            self.fault("expected a span of time of a year at most, such as 10s".to_owned())
        })
    }

    /// Text up to the parenthesis that closes `when`, over strings and other parentheses.
    fn condition(&mut self) -> Result<usize, TriggerError> {
        self.peek();
        if self.conditions.len() >= MAX_CONDITIONS {
            return Err(self.fault(format!("there are more than {MAX_CONDITIONS} conditions")));
        }
        let (mut open, mut quoted, mut escaped) = (0_usize, false, false);
        let end = self.rest().char_indices().find(|(_, c)| {
            let is_plain = !std::mem::take(&mut escaped);
            match c {
                '\\' if quoted => escaped = is_plain,
                '"' if is_plain => quoted = !quoted,
                '(' if !quoted => open += 1,
                ')' if !quoted && open == 0 => return true,
                ')' if !quoted => open -= 1,
                _ => {}
            }
            false
        });
        let condition = match end {
            Some((end, _)) => self.rest().get(..end).unwrap_or_default().trim_end(),
            None => return Err(self.fault("the condition has no end: a `)` is missing".to_owned())),
        };
        if condition.is_empty() {
            return Err(self.fault("expected a condition, such as _count > 100".to_owned()));
        }
        self.at += condition.len();
        self.conditions.push(condition.to_owned());
        Ok(self.conditions.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::Trigger::{All, Any, Count, Every, Repeat, Then, Watermark, When};
    use super::*;

    #[test]
    fn triggers_are_read() {
        let every = |seconds| Every(Duration::from_secs(seconds));
        for (text, trigger, conditions) in [
            ("count(100)", Count(100), &[][..]),
            (" every ( 1 minute ) ", every(60), &[]),
            ("every(1m30s)", every(90), &[]),
            ("any(count(100), every(10s))", Any(vec![Count(100), every(10)]), &[]),
            (
                "then(repeat(every(5s)), watermark, count(1))",
                Then(vec![Repeat(Box::new(every(5))), Watermark, Count(1)]),
                &[],
            ),
            ("all(watermark)", All(vec![Watermark]), &[]),
            ("when(_count > 100)", When(0), &["_count > 100"]),
            (
                "any(when( (a=1) or b=\")\\\"(\" ), when(c=2))",
                Any(vec![When(0), When(1)]),
                &["(a=1) or b=\")\\\"(\"", "c=2"],
            ),
        ] {
            let (found, texts) = parse(text).unwrap();
            assert_eq!(
                (found, texts.iter().map(String::as_str).collect::<Vec<_>>()),
                (trigger, conditions.to_vec()),
                "{text}"
            );
        }
    }

    #[test]
    fn faults_are_pointed_at() {
        for (text, at, what) in [
            ("", 0, "expected count"),
            ("sometimes", 0, "not `sometimes`"),
            ("any(count(1), sometimes)", 14, "not `sometimes`"),
            ("ä", 0, "expected count"),
            ("count", 5, "expected `(`, found the end"),
            ("count(0)", 6, "number of events"),
            ("count(-1)", 6, "number of events"),
            ("count(1", 7, "expected `)`, found the end"),
            ("count(1))", 8, "nothing more"),
            ("every(soon)", 6, "span of time"),
            ("every(0s)", 6, "span of time"),
            ("every(2y)", 6, "span of time"),
            ("any()", 4, "expected count"),
            ("any(watermark watermark)", 14, "expected `)`, found `w`"),
            ("watermark()", 9, "nothing more"),
            ("when()", 5, "expected a condition"),
            ("when(a=\")\"", 5, "a `)` is missing"),
            ("repeat(count(1), count(2))", 15, "expected `)`"),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.at == at && fault.what.contains(what), "{text}: {fault:?}");
        }
        assert_eq!(
            parse("count(x)").unwrap_err().to_string(),
            "trigger, at character 7: expected a number of events, such as 100"
        );
    }

    #[test]
    fn triggers_are_bounded() {
        let nested =
            |depth: usize| format!("{}count(1){}", "repeat(".repeat(depth - 1), ")".repeat(depth - 1));
        assert!(parse(&nested(MAX_TRIGGER_DEPTH)).is_ok());
        assert!(parse(&nested(MAX_TRIGGER_DEPTH + 1)).unwrap_err().what.contains("deep"));
        let long = |characters: usize| format!("count(1){}", " ".repeat(characters - 8));
        assert!(parse(&long(MAX_TRIGGER_CHARACTERS)).is_ok());
        assert!(parse(&long(MAX_TRIGGER_CHARACTERS + 1)).unwrap_err().what.contains("longer"));
        let several = |conditions: usize| format!("any({})", vec!["when(a=1)"; conditions].join(","));
        assert!(parse(&several(MAX_CONDITIONS)).is_ok());
        assert!(parse(&several(MAX_CONDITIONS + 1)).unwrap_err().what.contains("conditions"));
    }
}
