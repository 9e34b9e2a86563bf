//! Expressions: arithmetic, comparison, and their operands. Comparison binds weakest and does not chain.

use super::{MAX_TREE_HEIGHT, Parse, Parser, Reading};
use crate::ast::{BinaryOp, Expr, UnaryOp};
use crate::lexer::Mode;
use crate::span::Span;

impl Parser<'_> {
    /// The right side of `:=`.
    pub(super) fn expression(&mut self) -> Parse<Expr> {
        self.trivia();
        self.comparison_expression(Reading::Expressions)
    }

    /// `a + b == c`. `reading` says how lists inside are read.
    pub(super) fn comparison_expression(&mut self, reading: Reading) -> Parse<Expr> {
        let above = std::mem::replace(&mut self.deepest, self.depth);
        let read = self.binary(reading, 0);
        self.deepest = self.deepest.max(above);
        let left = read?;
        self.check_comparison_end()?;
        Ok(left)
    }

    /// `a < b < c` and `a = b` are not expressions.
    fn check_comparison_end(&mut self) -> Parse<()> {
        let end = self.lexer.at();
        self.trivia();
        let at = self.lexer.at();
        if let Some((_, length)) = self.operator_here().filter(|(op, _)| binding(*op) == 0) {
            let span = Span::new(at, at + length);
            return self.fail(span, "comparisons do not chain", Some("put one of them in parentheses"));
        }
        if self.lexer.looking_at("=") && !self.lexer.looking_at("=>") && !self.lexer.looking_at("=~") {
            return self.fail(Span::new(at, at + 1), "an expression compares with `==`", Some("write `==`"));
        }
        let word = self.lexer.peek_word(Mode::Field);
        if word.eq_ignore_ascii_case("and") || word.eq_ignore_ascii_case("or") {
            let message = format!("an expression has no `{word}`");
            let hint = "use two `test(..)` in a filter, or nested `if(..)`";
            return self.fail(Span::new(at, at + word.len()), message, Some(hint));
        }
        self.lexer.go(end);
        Ok(())
    }

    /// Operators that bind at least as tightly as `least`, by precedence climbing. Each operator in a row makes the
    /// tree under its left side one higher.
    fn binary(&mut self, reading: Reading, least: u8) -> Parse<Expr> {
        let above = std::mem::replace(&mut self.deepest, self.depth);
        let mut left = self.unary(reading)?;
        let mut reach = self.deepest;
        loop {
            let end = self.lexer.at();
            self.trivia();
            let Some((op, length)) = self.operator_here().filter(|(op, _)| binding(*op) >= least) else {
                self.lexer.go(end);
                break;
            };
            self.lexer.go(self.lexer.at() + length);
            self.trivia();
            self.deepest = self.depth;
            let right = self.nested(|parser| parser.binary(reading, binding(op) + 1))?;
            reach = (reach + 1).max(self.deepest);
            if reach > MAX_TREE_HEIGHT {
                return self
                    .too_high(format!("the tree of the expression is more than {MAX_TREE_HEIGHT} high"));
            }
            let span = left.span().join(right.span());
            left = Expr::Binary(op, Box::new(left), Box::new(right), span);
            if binding(op) == 0 {
                break;
            }
        }
        self.deepest = reach.max(above);
        Ok(left)
    }

    /// Operators may touch what they join: `"5"*a`.
    fn check_glued_operand(&mut self, span: Span) -> Parse<()> {
        if self.operator_here().is_some() { Ok(()) } else { self.check_glued(span) }
    }

    /// The operator here and its length in bytes.
    fn operator_here(&self) -> Option<(BinaryOp, usize)> {
        use BinaryOp::{Add, Divide, Equal, Greater, GreaterEqual, Less, LessEqual};
        use BinaryOp::{Multiply, NotEqual, Remainder, Subtract};
        if self.lexer.looking_at("<=>") {
            return None;
        }
        let operators = [
            ("==", Equal),
            ("!=", NotEqual),
            ("<=", LessEqual),
            (">=", GreaterEqual),
            ("<", Less),
            (">", Greater),
            ("+", Add),
            ("-", Subtract),
            ("*", Multiply),
            ("/", Divide),
            ("%", Remainder),
        ];
        operators.iter().find(|(text, _)| self.lexer.looking_at(text)).map(|&(text, op)| (op, text.len()))
    }

    fn unary(&mut self, reading: Reading) -> Parse<Expr> {
        let at = self.lexer.at();
        let op = match self.lexer.byte(0) {
            // `-1` is a number.
            Some(b'-') if !self.lexer.byte(1).is_some_and(|b| b.is_ascii_digit()) => UnaryOp::Negate,
            Some(b'!') if self.lexer.byte(1) != Some(b'=') => UnaryOp::Not,
            _ => return self.operand(reading),
        };
        self.lexer.go(at + 1);
        let inner = self.nested(|parser| {
            parser.trivia();
            parser.unary(reading)
        })?;
        let span = Span::new(at, inner.span().range().end);
        Ok(Expr::Unary(op, Box::new(inner), span))
    }

    fn operand(&mut self, reading: Reading) -> Parse<Expr> {
        match self.lexer.byte(0) {
            Some(b'(') => self.group(reading),
            Some(b'[') => {
                let open = self.lexer.eat("[").unwrap_or_default();
                let (items, span) = self.list(open, "]", reading)?;
                Ok(Expr::Array(items, span))
            }
            Some(b'{') => {
                let open = self.lexer.eat("{").unwrap_or_default();
                self.block(open)
            }
            Some(b'?') => self.param().map(Expr::Param),
            Some(b'$') => self.saved().map(Expr::Saved),
            Some(b'/') => {
                let at = Span::new(self.lexer.at(), self.lexer.at() + 1);
                let hint = "write `field=/../` as a filter, or use `regex(..)`";
                self.fail(at, "a regex is no operand of an expression", Some(hint))
            }
            Some(b'"') => match self.string() {
                Some(read) => {
                    let text = read?;
                    self.check_glued_operand(text.span)?;
                    Ok(Expr::Text(text))
                }
                None => self.expected("a value"),
            },
            _ => self.worded_operand(),
        }
    }

    /// `(x)`, or `(a, b)`, which is an array.
    fn group(&mut self, reading: Reading) -> Parse<Expr> {
        let open = self.lexer.eat("(").unwrap_or_default();
        let (mut items, span) = self.list(open, ")", reading)?;
        match items.pop() {
            Some(only) if items.is_empty() => Ok(Expr::Group(Box::new(only), span)),
            Some(last) => {
                items.push(last);
                Ok(Expr::Array(items, span))
            }
            None => self.fail(span, "expected a value inside the parentheses", None),
        }
    }

    fn worded_operand(&mut self) -> Parse<Expr> {
        if let Some(number) = self.lexer.number() {
            return Ok(Expr::Number(number));
        }
        let Some(mut span) = self.lexer.word(Mode::Arithmetic) else { return self.expected("a value") };
        // The name of a call may hold `:`, as in `math:abs(x)`.
        while self.lexer.looking_at(":") && !self.lexer.looking_at(":=") {
            let at = self.lexer.at();
            self.lexer.go(at + 1);
            match self.lexer.word(Mode::Field) {
                Some(member) => span = span.join(member),
                None => {
                    self.lexer.go(at);
                    break;
                }
            }
        }
        let end = self.lexer.at();
        self.lexer.skip_trivia();
        if let Some(open) = self.lexer.eat("(") {
            let name = self.name_of(span);
            return self.call(name, open).map(Expr::Call);
        }
        self.lexer.go(end);
        self.check_glued_operand(span)?;
        let word = self.pattern_of(span);
        if word.text.contains(':') {
            let hint = format!(
                "write `\"{}\"` for the text, or `getField(\"{}\")` for the field",
                word.text, word.text
            );
            self.report(span, format!("`{}` is no operand of an expression", word.text), Some(hint));
        }
        Ok(match word.text.as_str() {
            "true" => Expr::Bool(true, span),
            "false" => Expr::Bool(false, span),
            _ => Expr::Word(word),
        })
    }
}

/// How tightly an operator binds.
pub(crate) fn binding(op: BinaryOp) -> u8 {
    use BinaryOp::{Add, Divide, Equal, Greater, GreaterEqual, Less, LessEqual};
    use BinaryOp::{Multiply, NotEqual, Remainder, Subtract};
    match op {
        Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual => 0,
        Add | Subtract => 1,
        Multiply | Divide | Remainder => 2,
    }
}
