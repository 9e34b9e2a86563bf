//! Pipelines and their steps.

use super::{Failed, Parse, Parser, Place, operand::quoted_name};
use crate::ast::{Arm, Assign, Filter, Guard, Match, Name, Pipeline, Step, StepKind};
use crate::lexer::Mode;
use crate::span::Span;

impl Parser<'_> {
    /// Steps up to the end of the place, which is not passed. Broken steps are reported and left out.
    pub(super) fn pipeline(&mut self, place: Place) -> Pipeline {
        let mut steps: Vec<Step> = Vec::new();
        loop {
            if self.pipeline_ends(place) {
                break;
            }
            match self.step() {
                Ok(step) => {
                    steps.push(step);
                    self.check_step_end(place);
                }
                Err(Failed) => self.recover(false),
            }
        }
        let span = match (steps.first(), steps.last()) {
            (Some(first), Some(last)) => first.span.join(last.span),
            _ => Span::new(self.lexer.at(), self.lexer.at()),
        };
        Pipeline { steps, span }
    }

    /// At the end of the place, behind any pipes. A stray closer is reported and passed.
    fn pipeline_ends(&mut self, place: Place) -> bool {
        loop {
            self.trivia();
            let Some(byte) = self.lexer.byte(0) else { return true };
            let ends = match byte {
                b'}' => place != Place::Text,
                b';' => place == Place::Clause,
                // The bracket around is missing its own closer: leave this one to whoever opened it.
                b')' | b']' => self.open.iter().any(|&(closer, _)| closer == byte),
                _ => false,
            };
            if ends {
                return true;
            }
            let at = Span::new(self.lexer.at(), self.lexer.at() + 1);
            match byte {
                b';' => {
                    let hint = Some("write `|`".to_owned());
                    self.report(at, "`;` ends a clause of `case` or `match`, and stands nowhere else", hint);
                }
                b')' | b']' | b'}' => {
                    self.report(at, format!("`{}` closes nothing", char::from(byte)), None);
                }
                b'|' => {}
                _ => return false,
            }
            self.lexer.go(self.lexer.at() + 1);
        }
    }

    /// What follows a step must part it from the next.
    fn check_step_end(&mut self, place: Place) {
        self.trivia();
        if matches!(self.lexer.byte(0), None | Some(b'|' | b')' | b']' | b'}' | b';')) {
            return;
        }
        let what = match place {
            Place::Text => "`|` or the end of the query",
            Place::Block => "`|` or `}`",
            Place::Clause => "`|`, `;` or `}`",
        };
        // The fault is reported; the steps go on behind it.
        let Err(Failed) = self.expected::<()>(what) else { return };
        self.recover(false);
    }

    fn step(&mut self) -> Parse<Step> {
        let start = self.lexer.at();
        let (kind, end) = match self.lexer.byte(0) {
            Some(b'[') => {
                let open = self.lexer.eat("[").unwrap_or_default();
                let (items, span) = self.list(open, "]", super::Reading::Values)?;
                (StepKind::Stats(items), span)
            }
            Some(b'`') => self.dynamic_assign()?,
            _ => match self.headed_step()? {
                Some(step) => step,
                None => {
                    let filter = self.condition()?;
                    let span = filter.span();
                    (step_of(filter), span)
                }
            },
        };
        Ok(Step { kind, span: Span::new(start, end.range().end) })
    }

    /// `` `key` := value``.
    fn dynamic_assign(&mut self) -> Parse<(StepKind, Span)> {
        let open = self.lexer.eat("`").unwrap_or_default();
        let Some(word) = self.lexer.word(Mode::Field) else { return self.expected("a field name") };
        let Some(close) = self.lexer.eat("`") else { return self.expected("a closing backtick") };
        self.trivia();
        if self.lexer.eat(":=").is_none() {
            let at = self.lexer.at();
            if self.lexer.looking_at("=") {
                let hint = Some("write `:=`");
                return self.fail(Span::new(at, at + 1), "expected `:=`, found `=`", hint);
            }
            return self.expected("`:=`");
        }
        let mut target = self.name_of(word);
        target.span = open.join(close);
        let value = self.expression()?;
        let span = value.span();
        Ok((StepKind::Assign(Assign { target, dynamic: true, value }), span))
    }

    /// The steps that a look at their second token tells apart: `f := ..`, `f match {`, `case {`.
    fn headed_step(&mut self) -> Parse<Option<(StepKind, Span)>> {
        let start = self.lexer.at();
        let name = match self.string() {
            Some(read) => quoted_name(read?),
            None => match self.lexer.word(Mode::Pattern) {
                Some(span) => self.name_of(span),
                None => return Ok(None),
            },
        };
        self.lexer.skip_trivia();
        if !name.quoted && name.text.eq_ignore_ascii_case("case") {
            if let Some(open) = self.lexer.eat("{") {
                return self.case(open).map(Some);
            }
        } else if self.lexer.eat(":=").is_some() {
            self.check_field(&name);
            let value = self.expression()?;
            let span = value.span();
            return Ok(Some((StepKind::Assign(Assign { target: name, dynamic: false, value }), span)));
        } else if self.lexer.peek_word(Mode::Field).eq_ignore_ascii_case("match") {
            self.lexer.word(Mode::Field);
            self.lexer.skip_trivia();
            if let Some(open) = self.lexer.eat("{") {
                self.check_field(&name);
                return self.matching(name, open).map(Some);
            }
        }
        self.lexer.go(start);
        Ok(None)
    }

    fn case(&mut self, open: Span) -> Parse<(StepKind, Span)> {
        let (clauses, span) = self.bracketed(open, "}", |parser| {
            let mut clauses = Vec::new();
            loop {
                let clause = parser.pipeline(Place::Clause);
                if !clause.steps.is_empty() {
                    clauses.push(clause);
                }
                if parser.lexer.eat(";").is_none() {
                    return Ok(clauses);
                }
            }
        })?;
        if clauses.is_empty() {
            self.report(
                span,
                "`case` has no clause",
                Some("a clause is a condition and what to do: `case { level=ERROR | x := 1; * }`".to_owned()),
            );
        }
        Ok((StepKind::Case(clauses), span))
    }

    fn matching(&mut self, field: Name, open: Span) -> Parse<(StepKind, Span)> {
        let (arms, span) = self.bracketed(open, "}", |parser| {
            let mut arms = Vec::new();
            loop {
                parser.trivia();
                if parser.lexer.eat(";").is_some() {
                    continue;
                }
                if matches!(parser.lexer.byte(0), None | Some(b'}' | b')' | b']')) {
                    return Ok(arms);
                }
                match parser.arm() {
                    Ok(arm) => arms.push(arm),
                    Err(Failed) => parser.recover_arm(),
                }
            }
        })?;
        if arms.is_empty() {
            self.report(
                span,
                "`match` has no arm",
                Some(
                    "an arm is a guard and what to do: `level match { ERROR => x := 1; * => * }`".to_owned(),
                ),
            );
        }
        Ok((StepKind::Match(Match { field, arms }), span))
    }

    /// Goes to the next arm.
    fn recover_arm(&mut self) {
        loop {
            self.recover(false);
            if self.lexer.eat("|").is_none() {
                return;
            }
        }
    }

    fn arm(&mut self) -> Parse<Arm> {
        let start = self.lexer.at();
        let guard = self.guard()?;
        self.trivia();
        let Some(arrow) = self.lexer.eat("=>") else {
            let at = self.lexer.at();
            if let Some(wrong) = ["->", "=", ":"].iter().find(|wrong| self.lexer.looking_at(wrong)) {
                let message = format!("expected `=>` after the guard, found `{wrong}`");
                return self.fail(Span::new(at, at + wrong.len()), message, Some("write `=>`"));
            }
            return self.expected("`=>` after the guard");
        };
        let body = self.pipeline(Place::Clause);
        let end = if body.steps.is_empty() { arrow } else { body.span };
        Ok(Arm { guard, body, span: Span::new(start, end.range().end) })
    }

    fn guard(&mut self) -> Parse<Guard> {
        if let Some(read) = self.string() {
            return read.map(Guard::Pattern);
        }
        if let Some(read) = self.regex() {
            return read.map(Guard::Regex);
        }
        if self.lexer.looking_at("?") {
            return self.filter_param().map(Guard::Param);
        }
        let Some(word) = self.lexer.word(Mode::Pattern) else {
            return self.expected("a guard: `*`, a value, a regex or a filter function");
        };
        let pattern = self.pattern_of(word);
        match pattern.text.as_str() {
            "*" => return Ok(Guard::Any(word)),
            text if text.eq_ignore_ascii_case("true") => return Ok(Guard::Any(word)),
            _ => {}
        }
        self.lexer.skip_trivia();
        if let Some(open) = self.lexer.eat("(") {
            let name = self.name_of(word);
            return self.call(name, open).map(Guard::Call);
        }
        Ok(Guard::Pattern(pattern))
    }
}

/// A call alone is a step of its own.
fn step_of(filter: Filter) -> StepKind {
    match filter {
        Filter::Call(call) => StepKind::Call(call),
        Filter::Saved(saved) => StepKind::Saved(saved),
        filter => StepKind::Filter(filter),
    }
}
