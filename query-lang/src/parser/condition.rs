//! Conditions: `or` binds tighter than `and`, and conditions side by side are joined by `and`.

use super::{Parse, Parser, operand::quoted_name};
use crate::ast::{FieldCall, FieldTest, Filter, Name, Pattern, TestOp, TestValue};
use crate::lexer::{Mode, words};
use crate::span::Span;

/// What stands behind a field's name.
enum Operator {
    Test(TestOp),
    Call,
    Link,
}

impl Parser<'_> {
    /// Conditions up to what cannot belong to one.
    pub(super) fn condition(&mut self) -> Parse<Filter> {
        let mut all = vec![self.any_of()?];
        loop {
            self.trivia();
            match self.lexer.byte(0) {
                None | Some(b'|' | b')' | b']' | b'}' | b';' | b',') => break,
                _ => {}
            }
            if self.eat_keyword("and").is_some() {
                self.trivia();
            }
            all.push(self.any_of()?);
        }
        Ok(joined(all, Filter::And))
    }

    fn any_of(&mut self) -> Parse<Filter> {
        let mut any = vec![self.negation()?];
        loop {
            self.trivia();
            if self.eat_keyword("or").is_none() {
                break;
            }
            any.push(self.negation()?);
        }
        Ok(joined(any, Filter::Or))
    }

    fn negation(&mut self) -> Parse<Filter> {
        self.trivia();
        let not = match self.lexer.byte(0) {
            Some(b'!') if self.lexer.byte(1) != Some(b'=') => self.lexer.eat("!"),
            _ => self.eat_keyword("not"),
        };
        let Some(not) = not else { return self.single() };
        let inner = self.nested(Parser::negation)?;
        let span = not.join(inner.span());
        Ok(Filter::Not(Box::new(inner), span))
    }

    /// Passes `and`, `or` or `not` unless it is the field of a comparison.
    fn eat_keyword(&mut self, keyword: &str) -> Option<Span> {
        let start = self.lexer.at();
        let word = self.lexer.peek_word(Mode::Pattern);
        if !word.eq_ignore_ascii_case(keyword) {
            return None;
        }
        let span = self.lexer.word(Mode::Pattern)?;
        self.lexer.skip_trivia();
        let compares = match self.lexer.byte(0) {
            Some(b'=' | b'<' | b'>') => true,
            Some(b'!') => self.lexer.byte(1) == Some(b'='),
            _ => false,
        };
        self.lexer.go(if compares { start } else { span.range().end });
        (!compares).then_some(span)
    }

    fn single(&mut self) -> Parse<Filter> {
        match self.lexer.byte(0) {
            Some(b'(') => {
                let open = self.lexer.eat("(").unwrap_or_default();
                let (inner, span) = self.bracketed(open, ")", Parser::condition)?;
                Ok(widened(inner, span))
            }
            Some(b'"') => {
                let Some(read) = self.string() else { return self.expected("a condition") };
                let text = read?;
                self.check_glued(text.span)?;
                self.after_name(quoted_name(text))
            }
            Some(b'?') => self.filter_param().map(Filter::Param),
            Some(b'$') => self.saved().map(Filter::Saved),
            _ => {
                if let Some(read) = self.regex() {
                    return read.map(Filter::Regex);
                }
                self.worded()
            }
        }
    }

    /// A condition that starts with a word: a call, a comparison, or free text.
    fn worded(&mut self) -> Parse<Filter> {
        let word = self.lexer.peek_word(Mode::Pattern);
        if words::is_keyword(word) && matches!(word.to_ascii_lowercase().as_str(), "and" | "or") {
            // `and=1` compares; a bare one misses an operand.
            if self.eat_keyword("and").or_else(|| self.eat_keyword("or")).is_some() {
                let span = Span::new(self.lexer.at() - word.len(), self.lexer.at());
                let message = format!("expected a condition before `{word}`");
                return self.fail(span, message, Some("quote it to search for the word"));
            }
        }
        let Some(span) = self.lexer.word(Mode::Pattern) else { return self.no_condition() };
        if self.lexer.looking_at("(") && words::is_call_name(word) || self.spaced_call(word) {
            let name = self.name_of(span);
            let open = self.lexer.eat("(").unwrap_or_default();
            return self.call(name, open).map(Filter::Call);
        }
        if self.lexer.looking_at("(") {
            let hint = "put a space before the parenthesis to search for the text";
            return self.fail(span, format!("`{word}` is not the name of a function"), Some(hint));
        }
        if word == "&&" {
            return self.fail(span, "unknown operator `&&`", Some("write `and`"));
        }
        self.check_glued(span)?;
        let name = self.name_of(span);
        self.after_name(name)
    }

    fn no_condition<T>(&mut self) -> Parse<T> {
        if let Some(span) = self.lexer.eat("[") {
            let hint = "to look for several values write `in(field, values=[..])`";
            return self.fail(span, "expected a condition, found `[`", Some(hint));
        }
        let at = self.lexer.at();
        if self.lexer.looking_at("{") {
            let hint = "braces stand inside calls, behind `case` and behind `field match`";
            return self.fail(Span::new(at, at + 1), "expected a condition, found `{`", Some(hint));
        }
        if self.lexer.looking_at("=>") {
            let hint = "`=>` stands behind a guard of `match`; in `case` write `|`";
            return self.fail(Span::new(at, at + 2), "expected a condition, found `=>`", Some(hint));
        }
        let operators = ["<=>", ":=", "==", "=~", "!=", "<=", ">=", "=", "<", ">"];
        if let Some(operator) = operators.iter().find(|operator| self.lexer.looking_at(operator)) {
            let message = format!("expected a field before `{operator}`");
            return self.fail(Span::new(at, at + operator.len()), message, None);
        }
        self.expected("a condition")
    }

    /// A function's name, a space and a parenthesis; the space is passed.
    fn spaced_call(&mut self, word: &str) -> bool {
        let at = self.lexer.at();
        if words::is_spaced_call(word) {
            self.lexer.skip_trivia();
            if self.lexer.looking_at("(") {
                return true;
            }
        }
        self.lexer.go(at);
        false
    }

    /// `foo"bar"`, `"foo"bar`, `/foo/*` and `?foo*` are neither one value nor two.
    pub(super) fn check_glued(&mut self, span: Span) -> Parse<()> {
        let next = match self.lexer.byte(0) {
            Some(b'"') => "\"",
            Some(_) if self.lexer.slice(span).starts_with(['"', '/', '?']) => {
                let word = self.lexer.peek_word(Mode::Pattern);
                if word.is_empty() || words::is_keyword(word) {
                    return Ok(());
                }
                word
            }
            _ => return Ok(()),
        };
        let at = Span::new(self.lexer.at(), self.lexer.at() + next.len());
        let message = format!("expected a space between `{}` and `{next}`", self.lexer.slice(span));
        self.fail(at, message, Some("a value that needs quotes stands inside them as a whole"))
    }

    /// What follows a name decides whether it is a field or free text.
    fn after_name(&mut self, name: Name) -> Parse<Filter> {
        let end = self.lexer.at();
        self.trivia();
        let Some(operator) = self.operator(&name)? else {
            self.lexer.go(end);
            if !name.quoted && matches!(name.text.to_ascii_lowercase().as_str(), "case" | "match" | "like") {
                let message = format!("`{}` is a keyword", name.text);
                let form = match name.text.to_ascii_lowercase().as_str() {
                    "case" => "`case { .. }` is a step",
                    "match" => "`field match { .. }` is a step",
                    _ => "`field like text` is a condition",
                };
                self.report(name.span, message, Some(format!("{form}; quote it to search for the word")));
            }
            return Ok(free_text(name));
        };
        self.check_field(&name);
        self.trivia();
        match operator {
            Operator::Test(op) => self.comparison(name, op),
            Operator::Call => self.field_call(name),
            Operator::Link => {
                let right = self.field("`label.field` after `<=>`")?;
                let span = name.span.join(right.span);
                Ok(Filter::Link(name, right, span))
            }
        }
    }

    fn operator(&mut self, name: &Name) -> Parse<Option<Operator>> {
        use TestOp::{Equal, Greater, GreaterEqual, Less, LessEqual, Like, NotEqual};
        let at = self.lexer.at();
        if self.lexer.looking_at("=>") {
            let number = self.lexer.rest().get(2..).unwrap_or("").trim_start();
            if !number.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
                return Ok(None);
            }
            let span = self.lexer.eat("=>").unwrap_or_default();
            self.report(span, "unknown operator `=>`", Some("write `>=`".to_owned()));
            return Ok(Some(Operator::Test(GreaterEqual)));
        }
        if let Some(span) = self.lexer.eat("=<") {
            self.report(span, "unknown operator `=<`", Some("write `<=`".to_owned()));
            return Ok(Some(Operator::Test(LessEqual)));
        }
        if let Some(span) = self.lexer.eat("==") {
            self.report(
                span,
                "`==` compares in expressions; a filter compares with `=`",
                Some("write `=`, or `test(a == b)` to compare two fields".to_owned()),
            );
            return Ok(Some(Operator::Test(Equal)));
        }
        if let Some(span) = self.lexer.eat("<>") {
            self.report(span, "unknown operator `<>`", Some("write `!=`".to_owned()));
            return Ok(Some(Operator::Test(NotEqual)));
        }
        if self.lexer.looking_at(":=") {
            let span = Span::new(at, at + 2);
            let hint = format!("write `| {} := ..`", name.text);
            return self.fail(span, "an assignment is a step of its own", Some(&hint));
        }
        if let Some(span) = self.lexer.eat("=~") {
            if self.lexer.rest().trim_start().starts_with('/') {
                let hint = "write `=`".to_owned();
                self.report(
                    span,
                    "`=~` gives the field to a function; a regex stands behind `=`",
                    Some(hint),
                );
                return Ok(Some(Operator::Test(Equal)));
            }
            return Ok(Some(Operator::Call));
        }
        if self.lexer.eat("<=>").is_some() {
            return Ok(Some(Operator::Link));
        }
        let tests = [
            ("=", Equal),
            ("!=", NotEqual),
            ("<=", LessEqual),
            (">=", GreaterEqual),
            ("<", Less),
            (">", Greater),
        ];
        for (text, op) in tests {
            if self.lexer.eat(text).is_some() {
                return Ok(Some(Operator::Test(op)));
            }
        }
        if self.eat_keyword("like").is_some() {
            return Ok(Some(Operator::Test(Like)));
        }
        Ok(None)
    }

    fn comparison(&mut self, field: Name, op: TestOp) -> Parse<Filter> {
        let value = self.test_value(&field, op)?;
        let span = Span::new(field.span.start as usize, self.lexer.at());
        self.check_number(&field, op, &value);
        Ok(Filter::Test(FieldTest { field, op, value, span }))
    }

    fn test_value(&mut self, field: &Name, op: TestOp) -> Parse<TestValue> {
        if let Some(read) = self.string() {
            let text = read?;
            self.check_glued(text.span)?;
            return Ok(TestValue::Pattern(text));
        }
        if let Some(read) = self.regex() {
            return read.map(TestValue::Regex);
        }
        if self.lexer.looking_at("?") {
            return self.filter_param().map(TestValue::Param);
        }
        let Some(span) = self.lexer.word(Mode::Pattern) else {
            let what = format!("a value after `{} {}`", field.text, sign(op));
            let hint = match self.lexer.byte(0) {
                Some(b'(' | b'[') => {
                    format!("to look for several values write `in({}, values=[..])`", field.text)
                }
                Some(b'$') => "a parameter is `?name`; a saved query is a condition of its own".to_owned(),
                _ => return self.expected(&what),
            };
            let (found, span) = self.found();
            return self.fail(span, format!("expected {what}, found {found}"), Some(&hint));
        };
        // `a=b(c or d)` is a value and a group, though nobody should write it so.
        let empty =
            self.lexer.rest().strip_prefix('(').is_some_and(|rest| rest.trim_start().starts_with(')'));
        if empty || self.lexer.looking_at("(") && words::is_spaced_call(self.lexer.slice(span)) {
            let hint = format!("write `test({} == {}(..))`", field.text, self.lexer.slice(span));
            return self.fail(
                span,
                "the right side of a comparison in a filter is a value, not a call",
                Some(&hint),
            );
        }
        self.check_glued(span)?;
        Ok(TestValue::Pattern(self.pattern_of(span)))
    }

    /// Only numbers are smaller or greater.
    fn check_number(&mut self, field: &Name, op: TestOp, value: &TestValue) {
        if matches!(op, TestOp::Equal | TestOp::NotEqual | TestOp::Like) {
            return;
        }
        let (span, found) = match value {
            TestValue::Pattern(Pattern { text, .. }) if words::is_number(text.trim()) => return,
            TestValue::Param(_) => return,
            TestValue::Pattern(Pattern { text, span, .. }) => (*span, format!("`{text}`")),
            TestValue::Regex(regex) => (regex.span, "a regex".to_owned()),
        };
        let hint = match value {
            TestValue::Pattern(Pattern { text, quoted: false, .. }) if words::is_plain_field(text) => {
                format!("to compare with the field write `test({} {} {text})`", field.text, sign(op))
            }
            _ => format!("to compare with a field write `test({} {} ..)`", field.text, sign(op)),
        };
        self.report(span, format!("`{}` compares with a number, found {found}", sign(op)), Some(hint));
    }

    /// `f =~ [! | not] call(..)`.
    fn field_call(&mut self, field: Name) -> Parse<Filter> {
        let negated = self.lexer.eat("!").or_else(|| self.eat_keyword("not")).is_some();
        self.trivia();
        let Some(span) = self.lexer.word(Mode::Pattern) else {
            return self.expected("a filter function after `=~`");
        };
        let name = self.name_of(span);
        self.lexer.skip_trivia();
        let Some(open) = self.lexer.eat("(") else {
            return self.expected(&format!("`(` after the function `{}`", name.text));
        };
        let call = self.call(name, open)?;
        let span = field.span.join(call.span);
        Ok(Filter::FieldCall(FieldCall { field, negated, call, span }))
    }
}

/// An operator as it is written.
pub(crate) fn sign(op: TestOp) -> &'static str {
    match op {
        TestOp::Equal => "=",
        TestOp::NotEqual => "!=",
        TestOp::Less => "<",
        TestOp::LessEqual => "<=",
        TestOp::Greater => ">",
        TestOp::GreaterEqual => ">=",
        TestOp::Like => "like",
    }
}

fn free_text(name: Name) -> Filter {
    match name.text.as_str() {
        text if !name.quoted && text.eq_ignore_ascii_case("true") => Filter::Bool(true, name.span),
        text if !name.quoted && text.eq_ignore_ascii_case("false") => Filter::Bool(false, name.span),
        _ => Filter::Text(Pattern { text: name.text, quoted: name.quoted, span: name.span }),
    }
}

fn joined(mut filters: Vec<Filter>, join: fn(Vec<Filter>, Span) -> Filter) -> Filter {
    match filters.pop() {
        Some(only) if filters.is_empty() => only,
        Some(last) => {
            let span = filters.first().map_or_else(Span::default, Filter::span).join(last.span());
            filters.push(last);
            flatten(join(filters, span))
        }
        None => Filter::Bool(true, Span::default()),
    }
}

/// `(a and b) and c` is `a and b and c`: both joins are associative, so the tree has no joins inside their like.
fn flatten(filter: Filter) -> Filter {
    match filter {
        Filter::And(items, span) if items.iter().any(|item| matches!(item, Filter::And(..))) => {
            let mut flat = Vec::with_capacity(items.len());
            for item in items {
                match item {
                    Filter::And(inner, _) => flat.extend(inner),
                    item => flat.push(item),
                }
            }
            Filter::And(flat, span)
        }
        Filter::Or(items, span) if items.iter().any(|item| matches!(item, Filter::Or(..))) => {
            let mut flat = Vec::with_capacity(items.len());
            for item in items {
                match item {
                    Filter::Or(inner, _) => flat.extend(inner),
                    item => flat.push(item),
                }
            }
            Filter::Or(flat, span)
        }
        filter => filter,
    }
}

/// A join in parentheses spans them too.
fn widened(filter: Filter, span: Span) -> Filter {
    match filter {
        Filter::And(items, _) => Filter::And(items, span),
        Filter::Or(items, _) => Filter::Or(items, span),
        Filter::Not(inner, _) => Filter::Not(inner, span),
        filter => filter,
    }
}
