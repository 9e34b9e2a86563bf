//! Plans as people read them: close to the language, with everything filled in.

use std::fmt::{Display, Formatter, Result};

use crate::functions::{Argument, Arguments};
use crate::plan::{BinaryOp, Created, Expression, Filter, Regex, Step, TableSource, Test, TextTest};
use crate::value::compare::{Arithmetic, Relation};

impl Display for Step {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self {
            Step::Filter(filter) => write!(out, "keep rows where {filter}"),
            Step::Assign { target, dynamic: false, value } => write!(out, "{target} := {value}"),
            Step::Assign { target, dynamic: true, value } => write!(out, "`{target}` := {value}"),
            Step::Call(call) => write!(out, "{}", call.arguments),
            Step::Create(Created::Events(texts)) => write!(out, "create {} events", texts.len()),
            Step::Create(Created::Correlated(correlated)) => {
                let names: Vec<&str> = correlated.pattern.nodes.iter().map(|node| &*node.name).collect();
                write!(out, "correlate {}", names.join(", "))
            }
            Step::Create(Created::Tables { tables, limit, .. }) => {
                out.write_str("read ")?;
                list(out, tables, ", ")?;
                if *limit < usize::MAX { write!(out, ", {limit} rows") } else { Ok(()) }
            }
            Step::Case(clauses) => {
                out.write_str("case {")?;
                for clause in clauses {
                    out.write_str(" ")?;
                    if clause.is_empty() {
                        out.write_str("*")?;
                    }
                    list(out, clause, " | ")?;
                    out.write_str(";")?;
                }
                out.write_str(" }")
            }
        }
    }
}

impl Display for Filter {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self {
            Filter::Bool(value) => write!(out, "{value}"),
            Filter::And(parts) => joined(out, parts, " and "),
            Filter::Or(parts) => joined(out, parts, " or "),
            Filter::Not(inner) => write!(out, "not {inner}"),
            Filter::Test { field, test: Test::Present } => write!(out, "{field}=*"),
            Filter::Test { field, test: Test::Text(text) } => write!(out, "{field} {text}"),
            Filter::Test { field, test: Test::Compare { op, bound } } => {
                write!(out, "{field} {} {bound}", relation(*op))
            }
            Filter::Text(text) => write!(out, "any text {text}"),
            Filter::Call(call) => write!(out, "{}", call.arguments),
            Filter::Shared(_, inner) => write!(out, "{inner}"),
        }
    }
}

impl Display for TextTest {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let case = |ignore: &bool| if *ignore { " in either case" } else { "" };
        match self {
            TextTest::AnyOf { patterns, ignore_case } => match patterns.as_slice() {
                [only] => write!(out, "is {only:?}{}", case(ignore_case)),
                many => write!(out, "is one of {many:?}{}", case(ignore_case)),
            },
            TextTest::Contains { pattern, ignore_case } => {
                write!(out, "contains {pattern:?}{}", case(ignore_case))
            }
            TextTest::Regex(regex) => write!(out, "matches {regex}"),
        }
    }
}

impl Display for Regex {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        write!(out, "/{}/{}", self.pattern, self.flags)
    }
}

impl Display for Expression {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self {
            Expression::Text(text) => write!(out, "{text:?}"),
            Expression::Number(number) => write!(out, "{number}"),
            Expression::Bool(value) => write!(out, "{value}"),
            Expression::Field(field) => write!(out, "{field}"),
            Expression::Negate(inner) => write!(out, "-{inner}"),
            Expression::Not(inner) => write!(out, "!{inner}"),
            Expression::Binary(op, left, right) => write!(out, "({left} {} {right})", operator(*op)),
            Expression::Call(call) => write!(out, "{}", call.arguments),
            Expression::If(parts) => write!(out, "if({}, then={}, else={})", parts.0, parts.1, parts.2),
            Expression::Coalesce { list: parts, .. } => {
                out.write_str("coalesce(")?;
                list(out, parts, ", ")?;
                out.write_str(")")
            }
            Expression::Filter(filter) => write!(out, "{{{filter}}}"),
            Expression::Shared(_, inner) => write!(out, "{inner}"),
        }
    }
}

impl Display for Arguments {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        write!(out, "{}(", self.signature().name)?;
        for (at, (name, value)) in self.iter().enumerate() {
            if at > 0 {
                out.write_str(", ")?;
            }
            write!(out, "{name}={value}")?;
        }
        out.write_str(")")
    }
}

impl Display for TableSource {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self {
            TableSource::Known(table) => write!(out, "{:?}", table.name()),
            TableSource::Query(number) => write!(out, "query {}", number + 1),
        }
    }
}

impl Display for Argument {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let bracketed = |out: &mut Formatter<'_>, parts: &dyn Fn(&mut Formatter<'_>) -> Result| {
            out.write_str("[")?;
            parts(out)?;
            out.write_str("]")
        };
        match self {
            Argument::Text(text) => write!(out, "{text:?}"),
            Argument::Texts(texts) => write!(out, "{texts:?}"),
            Argument::Pairs(pairs) => write!(out, "{pairs:?}"),
            Argument::Integer(value) => write!(out, "{value}"),
            Argument::Number(value) => write!(out, "{value}"),
            Argument::Numbers(values) => write!(out, "{values:?}"),
            Argument::Bool(value) => write!(out, "{value}"),
            Argument::Regex(regex) => write!(out, "{regex}"),
            Argument::Table(table) => write!(out, "{table}"),
            Argument::Tables(tables) => bracketed(out, &|out| list(out, tables, ", ")),
            Argument::NamedQueries(queries) => {
                let names: Vec<&str> = queries.iter().map(|query| &*query.name).collect();
                write!(out, "{names:?}")
            }
            Argument::Expression(expression) => write!(out, "{expression}"),
            Argument::Expressions(expressions) => bracketed(out, &|out| list(out, expressions, ", ")),
            Argument::Assignments(assignments) => bracketed(out, &|out| {
                assignments.iter().try_for_each(|(name, value)| write!(out, "{name}={value} "))
            }),
            Argument::Pipeline(steps) => {
                out.write_str("{ ")?;
                list(out, steps, " | ")?;
                out.write_str(" }")
            }
            Argument::Pipelines(pipelines) => bracketed(out, &|out| {
                for (at, steps) in pipelines.iter().enumerate() {
                    out.write_str(if at == 0 { "{ " } else { ", { " })?;
                    list(out, steps, " | ")?;
                    out.write_str(" }")?;
                }
                Ok(())
            }),
            Argument::Aggregates(aggregates) => bracketed(out, &|out| {
                for (at, one) in aggregates.iter().enumerate() {
                    if at > 0 {
                        out.write_str(", ")?;
                    }
                    if one.before.is_empty() && one.after.is_empty() {
                        write!(out, "{}", one.call.arguments)?;
                        continue;
                    }
                    out.write_str("{ ")?;
                    one.before.iter().try_for_each(|step| write!(out, "{step} | "))?;
                    write!(out, "{}", one.call.arguments)?;
                    one.after.iter().try_for_each(|step| write!(out, " | {step}"))?;
                    out.write_str(" }")?;
                }
                Ok(())
            }),
        }
    }
}

fn list(out: &mut Formatter<'_>, parts: &[impl Display], between: &str) -> Result {
    for (at, part) in parts.iter().enumerate() {
        let before = if at == 0 { "" } else { between };
        write!(out, "{before}{part}")?;
    }
    Ok(())
}

fn joined(out: &mut Formatter<'_>, parts: &[Filter], between: &str) -> Result {
    out.write_str("(")?;
    list(out, parts, between)?;
    out.write_str(")")
}

fn relation(relation: Relation) -> &'static str {
    match relation {
        Relation::Less => "<",
        Relation::LessEqual => "<=",
        Relation::Greater => ">",
        Relation::GreaterEqual => ">=",
    }
}

fn operator(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Equal => "==",
        BinaryOp::NotEqual => "!=",
        BinaryOp::Compare(kind) => relation(kind),
        BinaryOp::Arithmetic(Arithmetic::Add) => "+",
        BinaryOp::Arithmetic(Arithmetic::Subtract) => "-",
        BinaryOp::Arithmetic(Arithmetic::Multiply) => "*",
        BinaryOp::Arithmetic(Arithmetic::Divide) => "/",
        BinaryOp::Arithmetic(Arithmetic::Remainder) => "%",
    }
}
