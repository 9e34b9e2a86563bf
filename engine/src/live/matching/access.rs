//! How an event can come to a query: the terms it must meet for the query to look at it.

use weir_query::compile::Required;

use super::grams;

/// Literals below this many bytes are in too many events to be worth looking for.
pub(super) const MIN_LITERAL_BYTES: usize = 3;
/// The most terms that one clause may have; a condition with more is no help.
const MAX_CLAUSE_TERMS: usize = 4_096;

/// A condition on one event that is looked up and not tried.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::live) enum Term {
    /// The text of a field is this.
    Value { field: Box<str>, text: Box<str> },
    /// A field is this number.
    Number { field: Box<str>, number: Bound },
    /// Its raw text or a value contains these bytes.
    Text { literal: Box<[u8]>, ignore_case: bool },
    /// A field is a number between these, both inclusive.
    Range { field: Box<str>, least: Bound, greatest: Bound },
    /// A field is there.
    Present { field: Box<str> },
}

/// A number as its bits: bounds are kept, compared for equality and hashed, never sorted by these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::live) struct Bound(u64);

impl Bound {
    /// The two zeros are one number.
    pub(super) fn of(number: f64) -> Bound {
        Bound(if number == 0.0 { 0 } else { number.to_bits() })
    }

    pub(super) fn number(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// At least one of these, sorted.
pub(in crate::live) type Clause = Vec<Term>;

/// The way of events to a query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::live) enum Access {
    /// None passes.
    Never,
    /// Every event is looked at.
    Always,
    /// Events that meet each of these clauses, the most telling first. Equal conditions have equal clauses.
    Clauses(Vec<Clause>),
}

impl Access {
    /// The way to a query all of whose events meet `required`.
    pub(in crate::live) fn of(required: &Required) -> Access {
        let Some(mut clauses) = clauses_of(required) else { return Access::Never };
        clauses.iter_mut().for_each(|clause| {
            clause.sort_unstable();
            clause.dedup();
        });
        clauses.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| one.cmp(other)));
        clauses.dedup();
        let numbers =
            clauses.iter().any(|clause| clause.iter().any(|term| matches!(term, Term::Number { .. })));
        // A number is looked up by its value; that its digits are in the text says no more.
        if numbers {
            clauses.retain(|clause| !clause.iter().all(is_digits));
        }
        if clauses.len() > 1 {
            clauses.retain(|clause| rank(clause) < Rank::Present);
        }
        if clauses.iter().any(|clause| rank(clause) == Rank::Literal) {
            // They are looked for another way, which costs more than they tell beside long ones.
            clauses.retain(|clause| rank(clause) != Rank::ShortLiteral);
        }
        if clauses.is_empty() { Access::Always } else { Access::Clauses(clauses) }
    }
}

/// How telling a term is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Value,
    Number,
    Literal,
    Range,
    ShortLiteral,
    Present,
}

/// A clause tells as much as its weakest term.
fn rank(clause: &Clause) -> Rank {
    let of = |term: &Term| match term {
        Term::Value { .. } => Rank::Value,
        Term::Number { .. } => Rank::Number,
        Term::Text { literal, .. } if literal.len() >= grams::MIN_BYTES => Rank::Literal,
        Term::Text { .. } => Rank::ShortLiteral,
        Term::Range { .. } => Rank::Range,
        Term::Present { .. } => Rank::Present,
    };
    clause.iter().map(of).max().unwrap_or(Rank::Value)
}

fn is_digits(term: &Term) -> bool {
    matches!(term, Term::Text { literal, .. } if literal.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.')))
}

/// What `required` says as clauses, all of which hold; `None`: nothing meets it. What cannot be looked up is left out.
fn clauses_of(required: &Required) -> Option<Vec<Clause>> {
    let one = |term: Term| Some(vec![vec![term]]);
    match required {
        Required::Anything => Some(Vec::new()),
        Required::Nothing => None,
        Required::And(parts) => {
            let parts: Option<Vec<Vec<Clause>>> = parts.iter().map(clauses_of).collect();
            Some(parts?.into_iter().flatten().collect())
        }
        Required::Or(parts) => {
            let mut either = Clause::new();
            for clauses in parts.iter().filter_map(clauses_of) {
                // An event meets one of the parts, and so the most telling clause of one of them.
                let Some(best) = clauses.into_iter().min_by_key(rank) else { return Some(Vec::new()) };
                either.extend(best);
            }
            match either.len() {
                0 => None,
                1..=MAX_CLAUSE_TERMS => Some(vec![either]),
                _ => Some(Vec::new()),
            }
        }
        Required::OneOf { field, values } if values.len() <= MAX_CLAUSE_TERMS => {
            let value =
                |text: &String| Term::Value { field: field.as_str().into(), text: text.as_str().into() };
            (!values.is_empty()).then(|| vec![values.iter().map(value).collect()])
        }
        Required::Text { literal, ignore_case } if literal.len() >= MIN_LITERAL_BYTES => {
            one(Term::Text { literal: literal.as_slice().into(), ignore_case: *ignore_case })
        }
        Required::OneOf { .. } | Required::Text { .. } => Some(Vec::new()),
        Required::Present(field) => one(Term::Present { field: field.as_str().into() }),
        Required::Range { field, least, greatest } => {
            let (field, least, greatest) = (field.as_str().into(), Bound::of(*least), Bound::of(*greatest));
            one(match least == greatest {
                true => Term::Number { field, number: least },
                false => Term::Range { field, least, greatest },
            })
        }
    }
}

impl std::fmt::Display for Term {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Term::Value { field, text } => write!(out, "{field} = {text:?} by hash"),
            Term::Number { field, number } => write!(out, "{field} = {} by hash", number.number()),
            Term::Text { literal, ignore_case } => {
                let either = if *ignore_case { " in either case" } else { "" };
                write!(out, "literal {:?}{either}", String::from_utf8_lossy(literal))
            }
            Term::Range { field, least, greatest } => match (least.number(), greatest.number()) {
                (f64::NEG_INFINITY, greatest) => write!(out, "{field} up to {greatest} by range"),
                (least, f64::INFINITY) => write!(out, "{field} from {least} by range"),
                (least, greatest) => write!(out, "{field} from {least} to {greatest} by range"),
            },
            Term::Present { field } => write!(out, "{field} present"),
        }
    }
}

/// Terms of a clause that are shown.
const SHOWN_TERMS: usize = 8;

impl std::fmt::Display for Access {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let clauses = match self {
            Access::Never => return out.write_str("never a candidate"),
            Access::Always => return out.write_str("always a candidate"),
            Access::Clauses(clauses) => clauses,
        };
        for (at, clause) in clauses.iter().enumerate() {
            let before = if at == 0 { "" } else { " and " };
            let shown: Vec<String> = clause.iter().take(SHOWN_TERMS).map(Term::to_string).collect();
            let more = clause.len().saturating_sub(SHOWN_TERMS);
            let more = if more > 0 { format!(" or {more} more") } else { String::new() };
            write!(out, "{before}{}{more}", shown.join(" or "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use weir_query::compile::Options;
    use weir_query::program::Program;

    use super::*;

    #[test]
    fn queries_and_their_access() {
        for (query, expected) in [
            ("*", "always a candidate"),
            ("not level=ERROR", "always a candidate"),
            ("ab", "always a candidate"),
            ("abc", "literal \"abc\""),
            ("/error/i", "literal \"error\" in either case"),
            ("level=ERROR", "level = \"ERROR\" by hash"),
            ("#host=a | service=b", "#host = \"a\" by hash and service = \"b\" by hash"),
            ("\"timed out\" never", "literal \"timed out\""),
            ("service=b \"timed out\"", "service = \"b\" by hash and literal \"timed out\""),
            ("status=404", "status = 404 by hash"),
            ("status>=500", "status from 500 by range"),
            ("status<5", "status up to 5 by range"),
            ("status=404 or status=500", "status = 404 by hash or status = 500 by hash"),
            ("level=ERROR or status>=500", "level = \"ERROR\" by hash or status from 500 by range"),
            ("level=ERROR or message!=x", "always a candidate"),
            ("status=*", "status present"),
            ("x := 1 | x=1", "always a candidate"),
            ("message=*timeout*", "literal \"timeout\""),
        ] {
            let program = Program::compile(query, &Options::default()).unwrap();
            let access = Access::of(program.required());
            assert_eq!(access.to_string(), expected, "{query}: {}", program.required());
        }
        assert_eq!(Access::of(&Required::Nothing), Access::Never);
    }

    #[test]
    fn a_clause_has_so_many_terms() {
        let values = |count: usize| Required::OneOf {
            field: "a".to_owned(),
            values: (0..count).map(|number| format!("v{number}")).collect(),
        };
        assert!(matches!(Access::of(&values(MAX_CLAUSE_TERMS)), Access::Clauses(_)));
        assert_eq!(Access::of(&values(MAX_CLAUSE_TERMS + 1)), Access::Always);
    }
}
