//! Filters: from the tree's conditions to the plan's.

use std::sync::Arc;

use crate::ast::{self, TestOp, TestValue};
use crate::functions::{Argument, Build};
use crate::plan::lower::{Lowering, anchored};
use crate::plan::{Call, Expression, Filter, Place, Regex, Step, Test, TextTest};
use crate::value::compare::Relation;
use crate::value::{Number, ValueRef};

/// The field a regex that extracts reads when none is named.
const RAW: &str = "@rawstring";

impl Lowering<'_> {
    /// A filter as a whole step: regexes with named groups at its top level extract.
    pub(super) fn filter_step(&mut self, filter: &ast::Filter, out: &mut Vec<Step>) {
        match filter {
            ast::Filter::And(parts, _) => parts.iter().for_each(|part| self.filter_step(part, out)),
            ast::Filter::Regex(regex) => self.regex_step(None, regex, out),
            ast::Filter::Test(test) => match (&test.op, &test.value) {
                (TestOp::Equal, TestValue::Regex(regex)) => {
                    let field: Arc<str> = test.field.text.as_str().into();
                    self.regex_step(Some(&field), regex, out);
                }
                _ => {
                    let filter = self.test(test);
                    out.push(Step::Filter(filter));
                }
            },
            ast::Filter::Call(call) => self.call_step(call, None, out),
            ast::Filter::FieldCall(call) if !call.negated && !self.is_aggregate(&call.call) => {
                self.call_step(&call.call, Some(&call.field), out);
            }
            ast::Filter::Saved(call) => {
                let steps = self.saved(call);
                out.extend(steps);
            }
            other => {
                let filter = self.filter(other);
                out.push(Step::Filter(filter));
            }
        }
    }

    /// A regex as a whole step.
    pub(super) fn regex_step(&mut self, field: Option<&Arc<str>>, regex: &ast::Regex, out: &mut Vec<Step>) {
        let plan = plan_regex(regex);
        let extracts = crate::compile::regex::has_named_groups(&regex.pattern);
        let repeat = regex.flags.contains('g');
        if !extracts {
            out.push(Step::Filter(match field {
                None => Filter::Text(TextTest::Regex(plan)),
                Some(field) => regex_test(field, plan),
            }));
            return;
        }
        // Without a field the text or any field may match; what is extracted is taken from the text.
        let strict = field.is_some();
        if !strict {
            out.push(Step::Filter(Filter::Text(TextTest::Regex(plan.clone()))));
        }
        let field = field.map_or_else(|| RAW.into(), Arc::clone);
        let given = vec![
            ("regex", Argument::Regex(plan)),
            ("field", Argument::Text(field)),
            ("repeat", Argument::Bool(repeat)),
            ("strict", Argument::Bool(strict)),
            // A literal has no default flags; `regex()` has `m`.
            ("flags", Argument::Text("".into())),
        ];
        out.extend(self.made("regex", given, regex.span));
    }

    /// A filter anywhere.
    pub(super) fn filter(&mut self, filter: &ast::Filter) -> Filter {
        match filter {
            ast::Filter::And(parts, _) => Filter::And(parts.iter().map(|part| self.filter(part)).collect()),
            ast::Filter::Or(parts, _) => Filter::Or(parts.iter().map(|part| self.filter(part)).collect()),
            ast::Filter::Not(inner, _) => Filter::Not(Box::new(self.filter(inner))),
            ast::Filter::Test(test) => self.test(test),
            ast::Filter::Text(pattern) => free_text(&pattern.text),
            ast::Filter::Regex(regex) => Filter::Text(TextTest::Regex(plan_regex(regex))),
            ast::Filter::Param(param) => {
                let values = self.values(param);
                Filter::Or(values.iter().map(|value| free_text(value)).collect())
            }
            ast::Filter::Bool(value, _) => Filter::Bool(*value),
            ast::Filter::Call(call) => self.filter_call(call, None),
            ast::Filter::FieldCall(call) => {
                let inner = self.filter_call(&call.call, Some(&call.field));
                if call.negated { Filter::Not(Box::new(inner)) } else { inner }
            }
            ast::Filter::Saved(call) => {
                let steps = self.saved(call);
                self.as_condition(steps, call.span)
            }
            ast::Filter::Link(_, _, span) => {
                self.fault("position", "`<=>` stands only inside a sub-query of `correlate`", *span);
                Filter::Bool(false)
            }
        }
    }

    fn is_aggregate(&self, call: &ast::Call) -> bool {
        let found = crate::functions::find(&call.name.text);
        found.is_some_and(|found| matches!(found.build, Build::Aggregate | Build::Sequence))
    }

    fn filter_call(&mut self, call: &ast::Call, field: Option<&ast::Name>) -> Filter {
        let Some(checked) = self.call(call, field) else { return Filter::Bool(false) };
        let signature = checked.arguments.signature();
        match signature.build {
            Build::Filter(_) => Filter::Call(checked),
            Build::Condition(build) => match build(&checked.arguments) {
                Ok(filter) => filter,
                Err(fault) => {
                    self.faults.push(fault);
                    Filter::Bool(false)
                }
            },
            Build::Row(_) if tests(signature.name) => Filter::Call(checked),
            // In a parser it is a step, and no condition that fails.
            Build::Plan if signature.name == "dropEvent" && !self.options.is_parser => Filter::Bool(false),
            Build::Plan if matches!(signature.name, "join" | "selfJoinFilter") => {
                let mut steps = Vec::new();
                match signature.name {
                    "join" => steps.extend(self.join(&checked)),
                    _ => self.self_join_filter(&checked, &mut steps),
                }
                self.as_condition(steps, call.span)
            }
            _ => {
                let message =
                    format!("`{}` is no filter: it cannot stand inside a condition", signature.name);
                self.fault("position", message, call.span);
                Filter::Bool(false)
            }
        }
    }

    /// Steps that are all filters, as one condition.
    pub(super) fn as_condition(&mut self, steps: Vec<Step>, span: crate::span::Span) -> Filter {
        let mut parts = Vec::with_capacity(steps.len());
        for step in steps {
            match step {
                Step::Filter(filter) => parts.push(filter),
                Step::Call(call) if tests(call.arguments.signature().name) => parts.push(Filter::Call(call)),
                _ => {
                    self.fault("position", "only filters can stand inside a condition", span);
                    return Filter::Bool(false);
                }
            }
        }
        Filter::And(parts)
    }

    fn test(&mut self, test: &ast::FieldTest) -> Filter {
        let field: Arc<str> = test.field.text.as_str().into();
        let relation = match test.op {
            TestOp::Equal | TestOp::NotEqual => {
                let inner = match &test.value {
                    TestValue::Pattern(pattern) => anchored(&field, vec![pattern.text.clone()]),
                    TestValue::Regex(regex) => regex_test(&field, plan_regex(regex)),
                    TestValue::Param(param) => anchored(&field, self.values(param)),
                };
                return if test.op == TestOp::Equal { inner } else { Filter::Not(Box::new(inner)) };
            }
            TestOp::Like => return self.like(&field, test),
            TestOp::Less => Relation::Less,
            TestOp::LessEqual => Relation::LessEqual,
            TestOp::Greater => Relation::Greater,
            TestOp::GreaterEqual => Relation::GreaterEqual,
        };
        let faults = self.faults.len();
        let text = match &test.value {
            TestValue::Pattern(pattern) => pattern.text.clone(),
            TestValue::Param(param) => self.value(param),
            TestValue::Regex(regex) => {
                self.fault("argument", "a number is expected here, not a regex", regex.span);
                return Filter::Bool(false);
            }
        };
        if self.faults.len() > faults {
            return Filter::Bool(false);
        }
        let Some(bound) = ValueRef::Text(text.trim()).number() else {
            let message = format!("a number is expected here, `{text}` is none");
            self.fault("argument", message, test.span);
            return Filter::Bool(false);
        };
        Filter::Test { field, test: Test::Compare { op: relation, bound } }
    }

    fn like(&mut self, field: &Arc<str>, test: &ast::FieldTest) -> Filter {
        let values = match &test.value {
            TestValue::Pattern(pattern) => vec![pattern.text.clone()],
            TestValue::Param(param) => self.values(param),
            TestValue::Regex(regex) => return regex_test(field, plan_regex(regex)),
        };
        let tests = values.into_iter().map(|value| {
            let pattern = value.trim_matches('*');
            let test = match pattern.is_empty() {
                true => Test::Present,
                false => Test::Text(TextTest::Contains { pattern: pattern.to_owned(), ignore_case: false }),
            };
            Filter::Test { field: Arc::clone(field), test }
        });
        Filter::Or(tests.collect())
    }

    /// What a parameter's value is in an expression: a number where it says one.
    pub(super) fn number_or_text(text: &str) -> Expression {
        match Number::parse(text) {
            Some(number) => Expression::Number(number),
            None => Expression::Text(text.into()),
        }
    }

    /// A step made up by the plan: `given` by parameter name, defaults filled in.
    pub(super) fn made(
        &mut self,
        name: &'static str,
        given: Vec<(&'static str, Argument)>,
        span: crate::span::Span,
    ) -> Option<Step> {
        let name = ast::Name { text: name.to_owned(), quoted: false, span };
        let call = ast::Call { name, args: Vec::new(), span };
        self.call_with(&call, None, given).map(|call: Call| Step::Call(call))
    }
}

/// Whether the row function `name` is a condition, too: it drops rows.
pub(super) fn tests(name: &str) -> bool {
    matches!(name, "regex" | "match" | "ioc:lookup")
}

/// Free text: the row's text or any field contains it, stars standing for anything.
pub(super) fn free_text(text: &str) -> Filter {
    let pattern = text.trim_matches('*');
    if pattern.is_empty() {
        return Filter::Bool(true);
    }
    Filter::Text(TextTest::Contains { pattern: pattern.to_owned(), ignore_case: false })
}

fn regex_test(field: &Arc<str>, regex: Regex) -> Filter {
    Filter::Test { field: Arc::clone(field), test: Test::Text(TextTest::Regex(regex)) }
}

pub(super) fn plan_regex(regex: &ast::Regex) -> Regex {
    Regex { pattern: regex.pattern.clone(), flags: regex.flags.clone(), place: Place(regex.span) }
}
