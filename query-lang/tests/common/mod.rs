//! What the syntax tests share: trees without their spans, and the shape of a tree.
#![allow(dead_code, unreachable_pub, reason = "every test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use regex::Regex;
use std::sync::LazyLock;
use weir_query::ast::*;

static SPAN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"Span \{ start: \d+, end: \d+ \}").unwrap());
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"Name \{ text: ("(?:[^"\\]|\\.)*"), quoted: (?:true|false)"#).unwrap());
static TRAILING: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"trailing: (?:true|false)").unwrap());

/// The tree as text, without spans, without the quotes of names, and without how comments stand on their lines.
pub fn spanless(query: &Query) -> String {
    let text = format!("{query:?}");
    let text = SPAN.replace_all(&text, "_");
    let text = NAME.replace_all(&text, "Name { $1");
    TRAILING.replace_all(&text, "_").into_owned()
}

/// The tree as nested lists: what binds what, at a glance.
pub fn shape(query: &Query) -> String {
    query.pipeline.steps.iter().map(step).collect::<Vec<_>>().join(" | ")
}

fn list(head: &str, items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    format!("({head}{}{})", if items.is_empty() { "" } else { " " }, items.join(" "))
}

fn body(pipeline: &Pipeline) -> String {
    format!("{{{}}}", pipeline.steps.iter().map(step).collect::<Vec<_>>().join(" | "))
}

fn step(step: &Step) -> String {
    match &step.kind {
        StepKind::Filter(f) => filter(f),
        StepKind::Call(c) => call(c),
        StepKind::Assign(a) => assign(a),
        StepKind::Case(clauses) => list("case", clauses.iter().map(body)),
        StepKind::Match(m) => {
            let arms = m.arms.iter().map(|arm| format!("{}=>{}", guard(&arm.guard), body(&arm.body)));
            list(&format!("match {}", m.field.text), arms)
        }
        StepKind::Saved(s) => saved(s),
        StepKind::Stats(items) => list("stats", items.iter().map(expr)),
    }
}

fn guard(guard: &Guard) -> String {
    match guard {
        Guard::Any(_) => "any".to_owned(),
        Guard::Pattern(p) => pattern(p),
        Guard::Regex(r) => regex(r),
        Guard::Call(c) => call(c),
        Guard::Param(p) => param(p),
    }
}

fn assign(assign: &Assign) -> String {
    let head = if assign.dynamic { "set-dynamic" } else { "set" };
    format!("({head} {} {})", assign.target.text, expr(&assign.value))
}

fn filter(f: &Filter) -> String {
    match f {
        Filter::And(items, _) => list("and", items.iter().map(filter)),
        Filter::Or(items, _) => list("or", items.iter().map(filter)),
        Filter::Not(inner, _) => list("not", [filter(inner)]),
        Filter::Test(t) => {
            let value = match &t.value {
                TestValue::Pattern(p) => pattern(p),
                TestValue::Regex(r) => regex(r),
                TestValue::Param(p) => param(p),
            };
            format!("[{} {:?} {value}]", t.field.text, t.op)
        }
        Filter::Text(p) => format!("text:{}", pattern(p)),
        Filter::Regex(r) => regex(r),
        Filter::Param(p) => param(p),
        Filter::Bool(b, _) => b.to_string(),
        Filter::Call(c) => call(c),
        Filter::FieldCall(c) => {
            format!("({} =~ {}{})", c.field.text, if c.negated { "!" } else { "" }, call(&c.call))
        }
        Filter::Saved(s) => saved(s),
        Filter::Link(a, b, _) => format!("({} <=> {})", a.text, b.text),
    }
}

fn pattern(p: &Pattern) -> String {
    if p.quoted { format!("{:?}", p.text) } else { p.text.clone() }
}

fn regex(r: &weir_query::ast::Regex) -> String {
    format!("re:{}:{}", r.pattern, r.flags)
}

fn param(p: &Param) -> String {
    format!("?{}{}", p.name.text, p.default.as_ref().map(|d| format!("={}", pattern(d))).unwrap_or_default())
}

fn arg(arg: &Arg) -> String {
    let name = arg.name.as_ref().map(|name| format!("{}=", name.text)).unwrap_or_default();
    format!("{name}{}", expr(&arg.value))
}

fn call(c: &Call) -> String {
    list(&c.name.text, c.args.iter().map(arg))
}

fn saved(s: &SavedCall) -> String {
    list(&format!("${}", s.name.text), s.args.iter().map(arg))
}

fn expr(e: &Expr) -> String {
    match e {
        Expr::Word(p) => p.text.clone(),
        Expr::Text(p) => pattern(p),
        Expr::Number(p) => format!("#{}", p.text),
        Expr::Bool(b, _) => b.to_string(),
        Expr::Regex(r) => regex(r),
        Expr::Call(c) => call(c),
        Expr::Unary(op, inner, _) => list(&format!("{op:?}"), [expr(inner)]),
        Expr::Binary(op, a, b, _) => list(&format!("{op:?}"), [expr(a), expr(b)]),
        Expr::Group(inner, _) => list("group", [expr(inner)]),
        Expr::Array(items, _) => format!("[{}]", items.iter().map(expr).collect::<Vec<_>>().join(" ")),
        Expr::Block(b, _) => body(b),
        Expr::Assign(a, _) => assign(a),
        Expr::Param(p) => param(p),
        Expr::Saved(s) => saved(s),
        Expr::Link(a, b, _) => format!("({} <=> {})", a.text, b.text),
        Expr::Labelled(l) => {
            let include = l.include.as_ref().map(|e| format!(" {}", expr(e))).unwrap_or_default();
            format!("({}: {}{include})", l.label.text, body(&l.body))
        }
    }
}
