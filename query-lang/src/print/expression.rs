//! Expressions, calls and names.

use super::Printer;
use crate::ast::{Arg, Assign, BinaryOp, Call, Expr, Labelled, Name, Param, SavedCall, UnaryOp};
use crate::lexer::{literal, words};
use crate::parser::{Reading, binding};

impl Printer<'_> {
    pub(super) fn name(&mut self, name: &Name) {
        if words::is_plain_field(&name.text) {
            self.put(&name.text);
        } else {
            self.put(&literal::quote(&name.text));
        }
    }

    pub(super) fn param(&mut self, param: &Param) {
        self.put("?");
        let Some(default) = &param.default else {
            self.name(&param.name);
            return;
        };
        self.put("{");
        self.name(&param.name);
        self.put("=");
        self.value_pattern(default);
        self.put("}");
    }

    pub(super) fn saved(&mut self, saved: &SavedCall) {
        self.put("$");
        if words::is_plain_value(&saved.name.text) {
            self.put(&saved.name.text);
        } else {
            self.put(&literal::quote(&saved.name.text));
        }
        self.args(&saved.args, Reading::Values);
    }

    pub(super) fn call(&mut self, call: &Call) {
        self.put(&call.name.text);
        self.args(&call.args, Reading::of(&call.name.text));
    }

    fn args(&mut self, args: &[Arg], reading: Reading) {
        self.put("(");
        self.separated(args, ", ", |printer, arg| {
            if let Some(name) = &arg.name {
                printer.name(name);
                printer.put("=");
            }
            printer.value(&arg.value, reading);
        });
        self.put(")");
    }

    pub(super) fn array(&mut self, items: &[Expr], reading: Reading) {
        self.put("[");
        self.separated(items, ", ", |printer, item| printer.value(item, reading));
        self.put("]");
    }

    pub(super) fn assign(&mut self, assign: &Assign) {
        if assign.dynamic {
            self.put(&format!("`{}`", assign.target.text));
        } else {
            self.name(&assign.target);
        }
        self.put(" := ");
        self.value(&assign.value, Reading::Expressions);
    }

    pub(super) fn link(&mut self, left: &Name, right: &Name) {
        self.name(left);
        self.put(" <=> ");
        self.name(right);
    }

    /// An argument or an element, where a word may be more than a field name.
    fn value(&mut self, value: &Expr, reading: Reading) {
        match value {
            // `-x` would be one word.
            Expr::Unary(UnaryOp::Negate, inner, _) if reading == Reading::Values => {
                self.put("- ");
                self.expr(inner, reading);
            }
            value => self.expr(value, reading),
        }
    }

    fn expr(&mut self, expr: &Expr, reading: Reading) {
        match expr {
            Expr::Word(word) | Expr::Number(word) => self.put(&word.text),
            Expr::Text(text) => self.put(&literal::quote(&text.text)),
            Expr::Bool(truth, _) => self.put(if *truth { "true" } else { "false" }),
            Expr::Regex(regex) => self.put(&literal::slash(regex)),
            Expr::Call(call) => self.call(call),
            Expr::Unary(op, inner, _) => self.unary(*op, inner, reading),
            Expr::Binary(op, left, right, _) => {
                // A comparison does not chain on either side.
                self.operand(left, binding(*op) + u8::from(binding(*op) == 0), reading);
                self.put(&format!(" {} ", operator(*op)));
                self.operand(right, binding(*op) + 1, reading);
            }
            Expr::Group(inner, _) => {
                self.put("(");
                self.value(inner, reading);
                self.put(")");
            }
            Expr::Array(items, _) => self.array(items, reading),
            Expr::Block(body, span) => self.block(body, span.end),
            Expr::Assign(assign, _) => self.assign(assign),
            Expr::Param(param) => self.param(param),
            Expr::Saved(saved) => self.saved(saved),
            Expr::Link(left, right, _) => self.link(left, right),
            Expr::Labelled(labelled) => self.labelled(labelled),
        }
    }

    fn unary(&mut self, op: UnaryOp, inner: &Expr, reading: Reading) {
        self.put(match op {
            // `-1` would be a number.
            UnaryOp::Negate if matches!(inner, Expr::Number(n) if !n.text.starts_with('-')) => "- ",
            // `-1x` would be a word with a minus in it.
            UnaryOp::Negate if matches!(inner, Expr::Word(w) if w.text.starts_with(|c: char| c == '.' || c.is_ascii_digit())) => "- ",
            UnaryOp::Negate => "-",
            UnaryOp::Not => "!",
        });
        self.operand(inner, u8::MAX, reading);
    }

    /// An operand of an operator that takes only what binds at least as tightly as `least`.
    fn operand(&mut self, operand: &Expr, least: u8, reading: Reading) {
        let group = matches!(operand, Expr::Binary(op, ..) if binding(*op) < least);
        self.put(if group { "(" } else { "" });
        self.expr(operand, reading);
        self.put(if group { ")" } else { "" });
    }

    fn labelled(&mut self, labelled: &Labelled) {
        self.put(&labelled.label.text);
        self.put(": ");
        let end = labelled.include.as_ref().map_or(labelled.span.end, |include| include.span().start);
        self.block(&labelled.body, end);
        if let Some(include) = &labelled.include {
            self.put(" include: ");
            self.value(include, Reading::Values);
        }
    }
}

fn operator(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Equal => "==",
        BinaryOp::NotEqual => "!=",
        BinaryOp::Less => "<",
        BinaryOp::LessEqual => "<=",
        BinaryOp::Greater => ">",
        BinaryOp::GreaterEqual => ">=",
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::Remainder => "%",
    }
}
