//! From text to the tree of an expression, by precedence climbing.
//!
//! The language is a part of PromQL: numbers, arithmetic and comparisons, selectors with `offset`, aggregations with `by` and
//! `without`. Everything else is refused by its name, at its place.

use weir_query::span::Span;

use super::Fault;
use super::aggregation::{Aggregation, Grouping};
use super::expression::{Expression, Node, Selection};
use super::labels::NAME;
use super::operator::Operator;
use super::selector::{Matcher, Selector, Test};
use super::token::{Token, tokens};

/// The most bytes of an expression.
pub const MAX_EXPRESSION_BYTES: usize = 16 << 10;
/// The deepest nesting of an expression.
pub const MAX_DEPTH: usize = 64;
/// The most selectors of an expression.
pub const MAX_SELECTIONS: usize = 32;

/// Words that stand between operands in PromQL and are not supported.
const SET_OPERATORS: [&str; 4] = ["and", "or", "unless", "atan2"];
/// Words that say how vectors are matched in PromQL and are not supported.
const MATCHING: [&str; 4] = ["on", "ignoring", "group_left", "group_right"];

/// Reads an expression.
///
/// # Errors
/// The first fault, with its place.
pub fn parse(text: &str) -> Result<Expression, Fault> {
    let mut parser = Parser::new(text)?;
    let root = parser.binary(0)?;
    parser.end()?;
    Ok(Expression { root, selections: parser.selections })
}

/// Reads a selector alone, as `match[]` has them.
///
/// # Errors
/// The first fault, with its place.
pub fn parse_selector(text: &str) -> Result<Selector, Fault> {
    let mut parser = Parser::new(text)?;
    let selector = match parser.next() {
        (Token::Name(name), span) => parser.selector(Some(name), span)?,
        (Token::Sign("{"), span) => {
            parser.at -= 1;
            parser.selector(None, span)?
        }
        (token, span) => return Err(parser.expected("a selector", &token, span)),
    };
    parser.end()?;
    Ok(selector)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: usize,
    selections: Vec<Selection>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Parser<'a>, Fault> {
        if text.len() > MAX_EXPRESSION_BYTES {
            let (bytes, limit) = (text.len(), MAX_EXPRESSION_BYTES);
            return Err(Fault::bad_data(format!("the expression of {bytes} bytes is longer than {limit}")));
        }
        Ok(Parser { text, tokens: tokens(text)?, at: 0, depth: 0, selections: Vec::new() })
    }

    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn span(&self) -> Span {
        let end = self.text.len();
        self.tokens.get(self.at).map_or(Span::new(end, end), |(_, span)| *span)
    }

    fn next(&mut self) -> (Token, Span) {
        let next = (self.peek().clone(), self.span());
        self.at += 1;
        next
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Token::Sign(next) if *next == sign);
        self.at += usize::from(is_next);
        is_next
    }

    /// Takes the next word if it is this name, whose case means nothing.
    fn takes_word(&mut self, word: &str) -> bool {
        let is_next = matches!(self.peek(), Token::Name(name) if name.eq_ignore_ascii_case(word));
        self.at += usize::from(is_next);
        is_next
    }

    fn want(&mut self, sign: &str) -> Result<(), Fault> {
        if self.takes(sign) {
            return Ok(());
        }
        let (token, span) = self.next();
        Err(self.expected(&format!("`{sign}`"), &token, span))
    }

    fn expected(&self, what: &str, token: &Token, span: Span) -> Fault {
        self.fault(span, &format!("expected {what}, not {}", token.shown()))
    }

    fn fault(&self, span: Span, message: &str) -> Fault {
        Fault::at(self.text, span, message)
    }

    fn unsupported(&self, span: Span, what: &str) -> Fault {
        self.fault(span, &format!("{what} is not supported"))
    }

    fn end(&mut self) -> Result<(), Fault> {
        let (token, span) = self.next();
        match token {
            Token::End => Ok(()),
            token => Err(self.behind_operand(&token, span)),
        }
    }

    /// What is wrong with a word where an operator or the end should be.
    fn behind_operand(&self, token: &Token, span: Span) -> Fault {
        match token {
            Token::Sign("[") => self.unsupported(span, "a range selector (a metric has a window of its own)"),
            Token::Sign("@") => self.unsupported(span, "the modifier `@`"),
            Token::Name(name) if SET_OPERATORS.contains(&name.to_ascii_lowercase().as_str()) => {
                self.unsupported(span, &format!("the operator `{name}`"))
            }
            token => self.expected("an operator or the end", token, span),
        }
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Parser<'a>) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth >= MAX_DEPTH {
            return Err(self.fault(self.span(), &format!("the expression is nested deeper than {MAX_DEPTH}")));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Operands with operators between them that bind tighter than `above`.
    fn binary(&mut self, above: u8) -> Result<Node, Fault> {
        let mut left = self.nested(Parser::unary)?;
        loop {
            let span = self.span();
            let Token::Sign(sign) = self.peek() else { return Ok(left) };
            let Some(operator) = Operator::of(sign).filter(|operator| operator.precedence() > above) else {
                return Ok(left);
            };
            self.at += 1;
            let gives_bool = self.modifiers(operator)?;
            // Powers are of what stands to their right.
            let tighter = operator.precedence() - u8::from(operator == Operator::Power);
            let right = self.nested(|parser| parser.binary(tighter))?;
            if operator.is_comparison() && !gives_bool && left.is_scalar() && right.is_scalar() {
                return Err(self.fault(span, "a comparison of two numbers needs `bool` behind its operator"));
            }
            left = Node::Binary { operator, gives_bool, left: Box::new(left), right: Box::new(right) };
        }
    }

    /// What stands between an operator and its right operand.
    fn modifiers(&mut self, operator: Operator) -> Result<bool, Fault> {
        let span = self.span();
        let gives_bool = self.takes_word("bool");
        if gives_bool && !operator.is_comparison() {
            return Err(self.fault(span, "`bool` belongs behind comparisons only"));
        }
        match self.peek() {
            Token::Name(name) if MATCHING.contains(&name.to_ascii_lowercase().as_str()) => {
                Err(self.unsupported(self.span(), &format!("the matching `{name}`")))
            }
            _ => Ok(gives_bool),
        }
    }

    fn unary(&mut self) -> Result<Node, Fault> {
        if self.takes("+") {
            return self.nested(|parser| parser.binary(Operator::Multiply.precedence()));
        }
        if self.takes("-") {
            let of = self.nested(|parser| parser.binary(Operator::Multiply.precedence()))?;
            return Ok(match of {
                Node::Number(number) => Node::Number(-number),
                of => Node::Negate(Box::new(of)),
            });
        }
        self.operand()
    }

    fn operand(&mut self) -> Result<Node, Fault> {
        let (token, span) = self.next();
        match token {
            Token::Number(number) => Ok(Node::Number(number)),
            Token::Sign("(") => {
                let inner = self.nested(|parser| parser.binary(0))?;
                self.want(")")?;
                Ok(inner)
            }
            Token::Sign("{") => {
                self.at -= 1;
                self.select(None, span)
            }
            Token::Name(name) => {
                let opens = matches!(self.peek(), Token::Sign("("));
                let groups = matches!(self.peek(), Token::Name(word) if ["by", "without"].contains(&word.to_ascii_lowercase().as_str()));
                match Aggregation::of(&name) {
                    Some(aggregation) if opens || groups => self.aggregate(aggregation, &name, span),
                    None if opens || groups => {
                        let known = Aggregation::NAMES;
                        Err(self.fault(span, &format!("`{name}` is not supported; there are {known}")))
                    }
                    _ => self.select(Some(name), span),
                }
            }
            Token::Text(_) => Err(self.unsupported(span, "a string by itself")),
            Token::Duration(_) => Err(self.unsupported(span, "a duration by itself")),
            token => Err(self.expected("a number, a selector or an aggregation", &token, span)),
        }
    }

    fn select(&mut self, name: Option<String>, span: Span) -> Result<Node, Fault> {
        let selector = self.selector(name, span)?;
        let mut offset_nanos = 0;
        if self.takes_word("offset") {
            let sign = if self.takes("-") { -1 } else { 1 };
            offset_nanos = match self.next() {
                (Token::Duration(nanos), _) => sign * nanos,
                (token, span) => return Err(self.expected("a duration", &token, span)),
            };
        }
        if let token @ (Token::Sign("[") | Token::Sign("@")) = self.peek().clone() {
            return Err(self.behind_operand(&token, self.span()));
        }
        if self.selections.len() >= MAX_SELECTIONS {
            return Err(self.fault(span, &format!("the expression has more than {MAX_SELECTIONS} selectors")));
        }
        self.selections.push(Selection { selector, offset_nanos });
        Ok(Node::Select(self.selections.len() - 1))
    }

    /// The rest of a selector behind its name.
    fn selector(&mut self, name: Option<String>, span: Span) -> Result<Selector, Fault> {
        let mut selector = Selector::default();
        selector
            .matchers
            .extend(name.map(|name| Matcher { label: NAME.to_owned(), test: Test::Equal(name) }));
        if self.takes("{") {
            while !self.takes("}") {
                selector.matchers.push(self.matcher()?);
                if !self.takes(",") {
                    self.want("}")?;
                    break;
                }
            }
        }
        if selector.is_all() {
            return Err(
                self.fault(span, "a selector needs a name or a matcher that an empty value does not pass")
            );
        }
        Ok(selector)
    }

    fn matcher(&mut self) -> Result<Matcher, Fault> {
        let label = match self.next() {
            (Token::Name(label), _) if !label.contains(':') => label,
            (token, span) => return Err(self.expected("the name of a label", &token, span)),
        };
        let (operator, at) = self.next();
        let (value, span) = self.next();
        let Token::Text(value) = value else {
            return Err(match operator {
                Token::Sign("=" | "!=" | "=~" | "!~") => self.expected("a string", &value, span),
                operator => self.expected("`=`, `!=`, `=~` or `!~`", &operator, at),
            });
        };
        let Token::Sign(sign) = operator else {
            return Err(self.expected("`=`, `!=`, `=~` or `!~`", &operator, at));
        };
        match Test::new(sign, &value).map_err(|message| self.fault(span, &message))? {
            Some(test) => Ok(Matcher { label, test }),
            None => Err(self.expected("`=`, `!=`, `=~` or `!~`", &operator, at)),
        }
    }

    fn aggregate(&mut self, aggregation: Aggregation, name: &str, span: Span) -> Result<Node, Fault> {
        let before = self.grouping()?;
        self.want("(")?;
        let mut parameter = None;
        if aggregation.has_parameter() {
            let start = self.span();
            let number = self.nested(|parser| parser.binary(0))?;
            if !number.is_scalar() {
                return Err(self.fault(start, &format!("`{name}` wants a number first")));
            }
            parameter = Some(Box::new(number));
            self.want(",")?;
        }
        let of = self.nested(|parser| parser.binary(0))?;
        if of.is_scalar() {
            return Err(self.fault(span, &format!("`{name}` is of series, not of a number")));
        }
        self.want(")")?;
        let grouping = match before {
            Some(grouping) => grouping,
            None => self.grouping()?.unwrap_or_default(),
        };
        Ok(Node::Aggregate { aggregation, parameter, grouping, of: Box::new(of) })
    }

    /// `by (a, b)` or `without (a, b)`, if that is next.
    fn grouping(&mut self) -> Result<Option<Grouping>, Fault> {
        let kind = match (self.takes_word("by"), self.takes_word("without")) {
            (false, false) => return Ok(None),
            (true, _) => Grouping::By,
            (false, true) => Grouping::Without,
        };
        self.want("(")?;
        let mut names = Vec::new();
        while !self.takes(")") {
            match self.next() {
                (Token::Name(name), _) if !name.contains(':') => names.push(name),
                (token, span) => return Err(self.expected("the name of a label", &token, span)),
            }
            if !self.takes(",") {
                self.want(")")?;
                break;
            }
        }
        Ok(Some(kind(names)))
    }
}
