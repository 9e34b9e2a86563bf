//! Conditions and guards.

use super::Printer;
use crate::ast::{FieldTest, Filter, Guard, Pattern, TestOp, TestValue};
use crate::lexer::{literal, words};
use crate::parser::sign;

impl Printer<'_> {
    pub(super) fn filter(&mut self, filter: &Filter) {
        match filter {
            Filter::And(items, _) => self.separated(items, " and ", Printer::filter_inside),
            Filter::Or(items, _) => self.separated(items, " or ", Printer::filter_inside),
            Filter::Not(inner, _) => {
                self.put(if matches!(**inner, Filter::Call(_) | Filter::Saved(_)) { "!" } else { "not " });
                self.filter_inside(inner);
            }
            Filter::Test(test) => self.test(test),
            Filter::Text(text) => self.pattern(text, words::is_plain_text(&text.text)),
            Filter::Regex(regex) => self.put(&literal::slash(regex)),
            Filter::Param(param) => self.param(param),
            Filter::Bool(truth, _) => self.put(if *truth { "true" } else { "false" }),
            Filter::Call(call) => self.call(call),
            Filter::FieldCall(call) => {
                self.name(&call.field);
                self.put(if call.negated { " =~ !" } else { " =~ " });
                self.call(&call.call);
            }
            Filter::Saved(saved) => self.saved(saved),
            Filter::Link(left, right, _) => self.link(left, right),
        }
    }

    /// A condition as an operand: joins in parentheses, also where precedence would not need them.
    fn filter_inside(&mut self, filter: &Filter) {
        let joined = matches!(filter, Filter::And(..) | Filter::Or(..));
        self.put(if joined { "(" } else { "" });
        self.filter(filter);
        self.put(if joined { ")" } else { "" });
    }

    fn test(&mut self, test: &FieldTest) {
        self.name(&test.field);
        match test.op {
            TestOp::Equal | TestOp::NotEqual => self.put(sign(test.op)),
            op => self.put(&format!(" {} ", sign(op))),
        }
        match &test.value {
            TestValue::Pattern(value) => {
                // `=~` would call.
                let tilde = test.op == TestOp::Equal && !value.quoted && value.text.starts_with('~');
                self.put(if tilde { " " } else { "" });
                self.value_pattern(value);
            }
            TestValue::Regex(regex) => self.put(&literal::slash(regex)),
            TestValue::Param(param) => self.param(param),
        }
    }

    pub(super) fn guard(&mut self, guard: &Guard) {
        match guard {
            Guard::Any(_) => self.put("*"),
            Guard::Pattern(value) => {
                let any = value.text == "*" || value.text.eq_ignore_ascii_case("true");
                self.pattern(value, !any && words::is_plain_value(&value.text));
            }
            Guard::Regex(regex) => self.put(&literal::slash(regex)),
            Guard::Call(call) => self.call(call),
            Guard::Param(param) => self.param(param),
        }
    }

    pub(super) fn value_pattern(&mut self, value: &Pattern) {
        self.pattern(value, words::is_plain_value(&value.text));
    }

    /// A pattern in the quotes it was written with, or that it needs.
    fn pattern(&mut self, pattern: &Pattern, plain: bool) {
        if pattern.quoted || !plain {
            self.put(&literal::quote(&pattern.text));
        } else {
            self.put(&pattern.text);
        }
    }
}
