//! Calls: names looked up, arguments checked against the signature and brought into the form it asks for.

use std::sync::Arc;

use crate::ast::{self, UnaryOp};
use crate::error::Diagnostic;
use crate::functions::{self, Argument, Arguments, Kind, Parameter, Signature};
use crate::plan::expression::span_of;
use crate::plan::lower::{Lowering, aggregate_name, not_standing};
use crate::plan::{AggregatePipeline, Call, Filter, Place, Regex, Step};
use crate::span::Span;
use crate::value::{Number, ValueRef};

type Value = Option<(Argument, Span)>;

impl Lowering<'_> {
    /// The function called `name`; an unknown one is a fault.
    pub(super) fn signature(&mut self, name: &ast::Name) -> Option<&'static Signature> {
        if let Some(signature) = functions::find(&name.text) {
            return Some(signature);
        }
        let unbuilt = functions::NOT_BUILT.iter().find(|known| known.eq_ignore_ascii_case(&name.text));
        let fault = if let Some(known) = unbuilt {
            Diagnostic {
                code: "not-built",
                message: format!("`{known}` is not built yet"),
                span: name.span,
                hint: None,
            }
        } else {
            let names = functions::signatures().map(|signature| signature.name);
            let near = nearest(&name.text, names.chain(functions::NOT_BUILT.iter().copied()));
            Diagnostic {
                code: "unknown-function",
                message: format!("unknown function `{}`", name.text),
                span: name.span,
                hint: near.map(|near| format!("did you mean `{near}`?")),
            }
        };
        // Looked up twice for `x := f()`, told once.
        if self.faults.last() != Some(&fault) {
            self.faults.push(fault);
        }
        None
    }

    /// Checks a call; `field =~ f(..)` fills in the field.
    pub(super) fn call(&mut self, call: &ast::Call, field: Option<&ast::Name>) -> Option<Call> {
        self.call_with(call, field, Vec::new())
    }

    /// Checks a call to which some arguments are added.
    pub(super) fn call_with(
        &mut self,
        call: &ast::Call,
        field: Option<&ast::Name>,
        given: Vec<(&'static str, Argument)>,
    ) -> Option<Call> {
        let signature = self.signature(&call.name)?;
        if self.options.is_standing
            && let Some(reason) = not_standing(signature.name)
        {
            let message = format!("`{}` cannot be kept standing: {reason}", signature.name);
            self.fault("standing", message, call.span);
            return None;
        }
        let faults = self.faults.len();
        let mut values: Vec<Value> = vec![None; signature.parameters.len()];
        if let Some(field) = field {
            self.set_field(signature, field, &mut values);
        }
        for (name, argument) in given {
            if let Some(slot) = signature.parameter(name).and_then(|at| values.get_mut(at)) {
                *slot = Some((argument, call.span));
            }
        }
        let filled: Vec<bool> = values.iter().map(Option::is_some).collect();
        if let [Parameter { kind: Kind::Assignments, .. }] = signature.parameters {
            let list = call.args.iter().filter_map(|arg| self.assignment(arg)).collect();
            values = vec![Some((Argument::Assignments(list), call.span))];
        } else {
            let named = signature.parameters.iter().position(|one| one.kind == Kind::NamedQueries);
            for arg in &call.args {
                if let (ast::Expr::Labelled(labelled), Some(at)) = (&arg.value, named) {
                    self.add_named_query(labelled, values.get_mut(at));
                    continue;
                }
                self.argument(signature, (call, arg), &filled, &mut values);
            }
        }
        // An argument at fault is not a missing one.
        let whole = self.faults.len() == faults;
        self.complete(signature, call.span, whole, &mut values);
        (self.faults.len() == faults)
            .then(|| Call { arguments: Arguments::new(signature, values, call.span) })
    }

    /// One more of the named queries in `slot`.
    fn add_named_query(&mut self, labelled: &ast::Labelled, slot: Option<&mut Value>) {
        let query = self.named_query(labelled);
        match slot {
            Some(Some((Argument::NamedQueries(list), _))) => list.push(query),
            Some(slot) => *slot = Some((Argument::NamedQueries(vec![query]), labelled.span)),
            None => {}
        }
    }

    fn set_field(&mut self, signature: &'static Signature, field: &ast::Name, values: &mut [Value]) {
        let at = signature.parameter("field").unwrap_or(0);
        let word = ast::Expr::Word(ast::Pattern {
            text: field.text.clone(),
            quoted: field.quoted,
            span: field.span,
        });
        match (signature.parameters.get(at), values.get_mut(at)) {
            (Some(parameter), Some(slot)) => {
                *slot = self.value_of(&word, parameter).map(|value| (value, field.span));
            }
            _ => {
                let message = format!("`{}` takes no field", signature.name);
                self.fault("argument", message, field.span);
            }
        }
    }

    fn assignment(&mut self, arg: &ast::Arg) -> Option<(Arc<str>, crate::plan::Expression)> {
        let Some(name) = &arg.name else {
            self.fault("argument", "`name=expression` is expected here", arg.span);
            return None;
        };
        Some((name.text.as_str().into(), self.expression(&arg.value)))
    }

    fn argument(
        &mut self,
        signature: &'static Signature,
        (call, arg): (&ast::Call, &ast::Arg),
        filled: &[bool],
        values: &mut [Value],
    ) {
        let at = match &arg.name {
            // The unnamed argument goes to the first parameter that `=~` has not taken.
            None => filled.iter().position(|filled| !filled),
            Some(name) => signature.parameter(&name.text),
        };
        let (Some(parameter), Some(at)) = (at.and_then(|at| signature.parameters.get(at)), at) else {
            self.unknown_parameter(signature, arg);
            return;
        };
        if values.get(at).is_some_and(Option::is_some) && !filled.get(at).is_some_and(|filled| *filled) {
            if is_listed(signature, (call, arg), parameter) {
                return self.add_text(arg, parameter, values.get_mut(at));
            }
            return self.given_twice(signature, (call, arg), parameter, values);
        }
        let value = self.value_of(&arg.value, parameter);
        if let (Some(slot), Some(value)) = (values.get_mut(at), value) {
            *slot = Some((value, span_of(&arg.value)));
        }
    }

    /// One more text of a list that is written without brackets.
    fn add_text(&mut self, arg: &ast::Arg, parameter: &Parameter, slot: Option<&mut Value>) {
        if let (Some(Some((Argument::Texts(list), span))), Some(Argument::Texts(more))) =
            (slot, self.value_of(&arg.value, parameter))
        {
            list.extend(more);
            *span = span.join(arg.span);
        }
    }

    /// `parameter` has a value, and `arg` is another for it: two of a name, a surplus unnamed one, or one of each.
    fn given_twice(
        &mut self,
        signature: &'static Signature,
        (call, arg): (&ast::Call, &ast::Arg),
        parameter: &Parameter,
        values: &[Value],
    ) {
        let mut unnamed = call.args.iter().filter(|arg| arg.name.is_none());
        let is_named = |arg: &ast::Arg| {
            arg.name
                .as_ref()
                .is_some_and(|name| signature.parameter(&name.text) == signature.parameter(parameter.name))
        };
        let named = call.args.iter().filter(|arg| is_named(arg)).count();
        let (Some(first), true) = (unnamed.next(), arg.name.is_none() || named < 2) else {
            return self.fault("argument", format!("`{}` is given twice", parameter.name), arg.span);
        };
        let by_name = named > 0;
        let surplus = if by_name { first } else { arg };
        let mut slots = signature.parameters.iter().zip(values);
        let free = slots.find(|(other, value)| {
            let later = call.args.iter().filter_map(|arg| arg.name.as_ref());
            value.is_none() && !later.map(|name| &name.text).any(|name| name.eq_ignore_ascii_case(other.name))
        });
        let is_number = matches!(surplus.value, ast::Expr::Number(_));
        let takes_numbers = free.is_some_and(|(other, _)| {
            matches!(other.kind, Kind::Integer { .. } | Kind::Limit { .. } | Kind::Number)
        });
        let takes_list = matches!(parameter.kind, Kind::Texts | Kind::Numbers | Kind::Expressions);
        let hint = match free {
            _ if takes_list && !(is_number && takes_numbers) => {
                let others = if by_name { vec![arg] } else { unnamed.collect() };
                if others.first().is_some_and(|second| second.span != arg.span) {
                    // Told at the second for all.
                    return;
                }
                let list: Vec<String> =
                    [&first].into_iter().chain(&others).map(|arg| shown(&arg.value)).collect();
                Some(format!("give a list: `{}=[{}]`", parameter.name, list.join(", ")))
            }
            Some((other, _)) => Some(format!("write `{}={}`", other.name, shown(&surplus.value))),
            None => None,
        };
        let message = match by_name {
            true => format!("`{0}` is given twice: the unnamed argument is `{0}`, too", parameter.name),
            false => format!(
                "`{}` takes one unnamed argument, `{}`; name the others",
                signature.name, parameter.name
            ),
        };
        self.faults.push(Diagnostic { code: "argument", message, span: surplus.span, hint });
    }

    fn unknown_parameter(&mut self, signature: &'static Signature, arg: &ast::Arg) {
        let fault = match &arg.name {
            None => Diagnostic {
                code: "argument",
                message: format!("`{}` takes no unnamed argument", signature.name),
                span: arg.span,
                hint: None,
            },
            Some(name) => {
                let names = signature.parameters.iter().map(|parameter| parameter.name);
                Diagnostic {
                    code: "unknown-parameter",
                    message: format!("`{}` has no parameter `{}`", signature.name, name.text),
                    span: name.span,
                    hint: match nearest(&name.text, names.clone()) {
                        Some(near) => Some(format!("did you mean `{near}`?")),
                        None => Some(format!(
                            "it has: {}{}",
                            names.collect::<Vec<_>>().join(", "),
                            form(signature)
                        )),
                    },
                }
            }
        };
        self.faults.push(fault);
    }

    /// Fills in defaults and reports what is missing.
    fn complete(&mut self, signature: &'static Signature, span: Span, whole: bool, values: &mut [Value]) {
        for (parameter, slot) in signature.parameters.iter().zip(values) {
            if slot.is_some() {
                continue;
            }
            if parameter.required && !whole {
                continue;
            }
            if parameter.required {
                let message = format!("`{}` needs `{}`", signature.name, parameter.name);
                self.fault("missing-argument", message, span);
            } else if let Some(default) = parameter.default {
                let written = match parameter.kind {
                    Kind::Aggregates => {
                        let name = ast::Name { text: default.to_owned(), quoted: false, span };
                        ast::Expr::Call(ast::Call { name, args: Vec::new(), span })
                    }
                    _ => ast::Expr::Text(ast::Pattern { text: default.to_owned(), quoted: true, span }),
                };
                *slot = self.value_of(&written, parameter).map(|value| (value, span));
            }
        }
    }

    fn value_of(&mut self, expr: &ast::Expr, parameter: &Parameter) -> Option<Argument> {
        match parameter.kind {
            Kind::Text | Kind::Duration => self.text(expr).map(|text| Argument::Text(text.into())),
            Kind::Texts => Some(Argument::Texts(self.text_list(expr).into_iter().map(Arc::from).collect())),
            Kind::Pairs => Some(Argument::Pairs(self.pairs(expr))),
            Kind::Integer { least, most } => self.integer(expr, parameter.name, least, most, false),
            Kind::Limit { most } => self.integer(expr, parameter.name, 1, most, true),
            Kind::Number => self.number(expr).map(|number| Argument::Number(number.to_f64())),
            Kind::Numbers => {
                let list = elements(expr);
                let numbers = list.iter().map(|one| self.number(one).map(Number::to_f64));
                numbers.collect::<Option<_>>().map(Argument::Numbers)
            }
            Kind::Bool => self.truth(expr).map(Argument::Bool),
            Kind::Choice(words) => {
                let text = self.text(expr)?;
                self.choice(&text, words, span_of(expr)).map(|word| Argument::Text(word.into()))
            }
            Kind::Choices(words) => {
                let mut chosen = Vec::new();
                for one in elements(expr) {
                    for text in self.text_list(one) {
                        chosen.push(self.choice(&text, words, span_of(one)).map(Arc::from));
                    }
                }
                chosen.into_iter().collect::<Option<_>>().map(Argument::Texts)
            }
            Kind::Regex => self.regex(expr).map(Argument::Regex),
            Kind::Expression => Some(Argument::Expression(self.expression(expr))),
            Kind::Expressions => {
                let list = elements(expr);
                Some(Argument::Expressions(list.iter().map(|one| self.expression(one)).collect()))
            }
            Kind::Query => self.braces(expr, parameter).map(Argument::Pipeline),
            Kind::Pipelines => {
                let list = elements(expr).iter().map(|one| self.row_steps(one, parameter.name));
                list.collect::<Option<_>>().map(Argument::Pipelines)
            }
            Kind::Table => {
                let name = self.text(expr)?;
                self.table(&name, span_of(expr))
            }
            Kind::Tables => {
                let mut sources = Vec::new();
                for one in elements(expr) {
                    let name = self.text(one)?;
                    match self.table(&name, span_of(one))? {
                        Argument::Table(source) => sources.push(source),
                        _ => return None,
                    }
                }
                Some(Argument::Tables(sources))
            }
            Kind::Pipeline => self.row_steps(expr, parameter.name).map(Argument::Pipeline),
            Kind::Database => {
                let name = self.text(expr)?;
                Some(self.database(&name))
            }
            Kind::Aggregates => Some(Argument::Aggregates(self.aggregates(expr))),
            Kind::Assignments => None,
            Kind::NamedQueries => {
                self.fault("argument", "`NAME: { .. }` is expected here", span_of(expr));
                None
            }
        }
    }

    /// A whole query in braces.
    fn braces(&mut self, expr: &ast::Expr, parameter: &Parameter) -> Option<Vec<Step>> {
        match expr {
            ast::Expr::Block(pipeline, _) => {
                // It reads events of its own.
                let outer = std::mem::take(&mut self.before);
                let steps = self.inner(pipeline);
                self.before = outer;
                Some(steps)
            }
            other => {
                let message = format!("`{}` takes a pipeline in braces", parameter.name);
                self.fault("argument", message, span_of(other));
                None
            }
        }
    }

    /// Steps in braces, or one call: a filter, a transform, or a condition that is an expression.
    fn row_steps(&mut self, expr: &ast::Expr, name: &str) -> Option<Vec<Step>> {
        let span = span_of(expr);
        let steps = match expr {
            ast::Expr::Block(pipeline, _) => self.inner(pipeline),
            ast::Expr::Group(inner, _) => return self.row_steps(inner, name),
            ast::Expr::Call(call) if !self.signature(&call.name).is_some_and(Signature::is_value) => {
                let mut steps = Vec::new();
                self.call_step(call, None, &mut steps);
                steps
            }
            ast::Expr::Call(_) | ast::Expr::Bool(..) | ast::Expr::Unary(..) | ast::Expr::Binary(..) => {
                let condition = Argument::Expression(self.expression(expr));
                let name = ast::Name { text: "test".to_owned(), quoted: false, span };
                let call = ast::Call { name, args: Vec::new(), span };
                let test = self.call_with(&call, None, vec![("expression", condition)])?;
                vec![Step::Filter(Filter::Call(test))]
            }
            other => {
                let message = format!("`{name}` takes steps in braces, or a call");
                self.fault("argument", message, span_of(other));
                return None;
            }
        };
        let creates = steps.iter().any(|step| matches!(step, Step::Create(_))).then_some("createEvents");
        if let Some(misplaced) = creates.or(steps.iter().find_map(aggregate_name)) {
            let what = if creates.is_some() { "function" } else { "aggregate" };
            let message = format!("the {what} `{misplaced}` cannot stand in `{name}`");
            self.fault("position", message, span);
            return None;
        }
        Some(super::simplify::steps(steps, &mut self.faults))
    }

    /// One text: a word, string, number, truth value or parameter.
    fn text(&mut self, expr: &ast::Expr) -> Option<String> {
        match expr {
            ast::Expr::Word(pattern) | ast::Expr::Text(pattern) | ast::Expr::Number(pattern) => {
                Some(pattern.text.clone())
            }
            ast::Expr::Bool(value, _) => Some(value.to_string()),
            ast::Expr::Param(param) => Some(self.value(param)),
            ast::Expr::Group(inner, _) => self.text(inner),
            ast::Expr::Array(list, span) => match list.as_slice() {
                [only] => self.text(only),
                _ => {
                    self.fault("argument", "one value is expected here, not a list", *span);
                    None
                }
            },
            ast::Expr::Unary(UnaryOp::Negate, inner, _) => match &**inner {
                ast::Expr::Number(number) => Some(format!("-{}", number.text)),
                ast::Expr::Word(word) => Some(format!("-{}", word.text)),
                _ => self.no_text(expr),
            },
            // A division between plain words is a path or zone: `Europe/Berlin`.
            ast::Expr::Binary(ast::BinaryOp::Divide, left, right, _) => {
                Some(format!("{}/{}", self.text(left)?, self.text(right)?))
            }
            ast::Expr::Regex(regex) => Some(regex.pattern.clone()),
            _ => self.no_text(expr),
        }
    }

    fn no_text(&mut self, expr: &ast::Expr) -> Option<String> {
        self.fault("argument", "a name or text is expected here", span_of(expr));
        None
    }

    /// A list of texts, flattened; parameters with several values are spread.
    pub(super) fn text_list(&mut self, expr: &ast::Expr) -> Vec<String> {
        match expr {
            ast::Expr::Array(list, _) => list.iter().flat_map(|one| self.text_list(one)).collect(),
            ast::Expr::Group(inner, _) => self.text_list(inner),
            ast::Expr::Param(param) => self.values(param),
            other => self.text(other).into_iter().collect(),
        }
    }

    fn pairs(&mut self, expr: &ast::Expr) -> Vec<Vec<Arc<str>>> {
        let arcs = |texts: Vec<String>| texts.into_iter().map(Arc::from).collect::<Vec<Arc<str>>>();
        match expr {
            ast::Expr::Array(list, _) if list.iter().any(|one| matches!(one, ast::Expr::Array(..))) => {
                list.iter().map(|one| arcs(self.text_list(one))).collect()
            }
            other => vec![arcs(self.text_list(other))],
        }
    }

    fn number(&mut self, expr: &ast::Expr) -> Option<Number> {
        let text = self.text(expr)?;
        let number = ValueRef::Text(text.trim()).number();
        if number.is_none() {
            self.fault("argument", format!("a number is expected here, `{text}` is none"), span_of(expr));
        }
        number
    }

    fn integer(
        &mut self,
        expr: &ast::Expr,
        name: &str,
        least: i64,
        most: i64,
        max: bool,
    ) -> Option<Argument> {
        let text = self.text(expr)?;
        if max && text.eq_ignore_ascii_case("max") {
            return Some(Argument::Integer(most));
        }
        let value = match ValueRef::Text(text.trim()).number() {
            Some(Number::Int(value)) => Some(value),
            _ => None,
        };
        if let Some(value) = value.filter(|value| (least..=most).contains(value)) {
            return Some(Argument::Integer(value));
        }
        let or_max = if max { ", or `max`" } else { "" };
        let message = format!("`{name}` is a whole number from {least} to {most}{or_max}; `{text}` is not");
        self.fault("limit", message, span_of(expr));
        None
    }

    fn truth(&mut self, expr: &ast::Expr) -> Option<bool> {
        let text = self.text(expr)?;
        let truth = match () {
            () if text.eq_ignore_ascii_case("true") => Some(true),
            () if text.eq_ignore_ascii_case("false") => Some(false),
            () => None,
        };
        if truth.is_none() {
            let message = format!("`true` or `false` is expected here, not `{text}`");
            self.fault("argument", message, span_of(expr));
        }
        truth
    }

    fn choice(&mut self, text: &str, words: &'static [&'static str], span: Span) -> Option<&'static str> {
        let found = words.iter().find(|word| word.eq_ignore_ascii_case(text.trim()));
        if found.is_none() {
            let near = nearest(text, words.iter().copied());
            self.faults.push(Diagnostic {
                code: "argument",
                message: format!("one of {} is expected here, not `{text}`", words.join(", ")),
                span,
                hint: near.map(|near| format!("did you mean `{near}`?")),
            });
        }
        found.copied()
    }

    fn regex(&mut self, expr: &ast::Expr) -> Option<Regex> {
        if let ast::Expr::Regex(regex) = expr {
            return Some(super::condition::plan_regex(regex));
        }
        let pattern = self.text(expr)?;
        Some(Regex { pattern, flags: String::new(), place: Place(span_of(expr)) })
    }

    /// The aggregates of `function=..`.
    pub(super) fn aggregates(&mut self, expr: &ast::Expr) -> Vec<AggregatePipeline> {
        match expr {
            ast::Expr::Array(list, _) => list.iter().flat_map(|one| self.aggregates(one)).collect(),
            ast::Expr::Group(inner, _) => self.aggregates(inner),
            ast::Expr::Call(call) => {
                let (mut steps, faults) = (Vec::new(), self.faults.len());
                self.call_step(call, None, &mut steps);
                if self.faults.len() == faults && !steps.iter().any(|step| aggregate_name(step).is_some()) {
                    let message = format!("`{}` is no aggregate", call.name.text);
                    let hint =
                        format!("in braces it may stand before one: `{{{}(..) | count()}}`", call.name.text);
                    let (span, hint) = (call.span, Some(hint));
                    self.faults.push(Diagnostic { code: "argument", message, span, hint });
                    return Vec::new();
                }
                self.aggregate_of(steps, call.span).into_iter().collect()
            }
            ast::Expr::Assign(assign, span) => match &assign.value {
                ast::Expr::Call(call) => {
                    let given = match self.signature(&call.name) {
                        Some(signature) if signature.parameter("as").is_some() => {
                            vec![("as", Argument::Text(assign.target.text.as_str().into()))]
                        }
                        _ => Vec::new(),
                    };
                    let steps = self.call_with(call, None, given).map(Step::Call).into_iter().collect();
                    self.aggregate_of(steps, *span).into_iter().collect()
                }
                _ => {
                    self.fault("argument", "an aggregate like `count()` is expected here", *span);
                    Vec::new()
                }
            },
            ast::Expr::Block(pipeline, span) => {
                let steps = self.inner(pipeline);
                self.aggregate_of(steps, *span).into_iter().collect()
            }
            ast::Expr::Text(name) | ast::Expr::Word(name) => {
                // `function=count` is seen; it means `count()`.
                let call = ast::Call {
                    name: ast::Name { text: name.text.clone(), quoted: name.quoted, span: name.span },
                    args: Vec::new(),
                    span: name.span,
                };
                self.aggregates(&ast::Expr::Call(call))
            }
            other => {
                self.fault("argument", "an aggregate like `count()` is expected here", span_of(other));
                Vec::new()
            }
        }
    }

    fn aggregate_of(&mut self, mut steps: Vec<Step>, span: Span) -> Option<AggregatePipeline> {
        let Some(at) = steps.iter().position(|step| aggregate_name(step).is_some()) else {
            if steps.is_empty() && !self.faults.is_empty() {
                return None;
            }
            self.fault("argument", "an aggregate like `count()` is expected here", span);
            return None;
        };
        let mut after = steps.split_off(at);
        let call = match after.remove(0) {
            Step::Call(call) => call,
            _ => return None,
        };
        Some(AggregatePipeline { before: steps, call, after })
    }
}

/// What is to be known of parameters that are not plain values.
fn form(signature: &Signature) -> &'static str {
    let has = |kind: Kind| signature.parameters.iter().any(|parameter| parameter.kind == kind);
    match () {
        () if has(Kind::Query) => "; its query stands in braces",
        () if has(Kind::Expression) => "; an expression compares with `==`",
        () => "",
    }
}

/// A value as it would be written again, as far as it is short.
fn shown(expr: &ast::Expr) -> String {
    /// Longer lists are not written again.
    const MAX_LIST: usize = 4;
    match expr {
        ast::Expr::Array(list, _) if list.len() <= MAX_LIST => {
            format!("[{}]", list.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        ast::Expr::Word(pattern) | ast::Expr::Number(pattern) => pattern.text.clone(),
        ast::Expr::Text(pattern) => format!("{:?}", pattern.text),
        ast::Expr::Bool(value, _) => value.to_string(),
        ast::Expr::Call(call) => format!("{}(..)", call.name.text),
        ast::Expr::Array(..) => "[..]".to_owned(),
        _ => "..".to_owned(),
    }
}

/// The elements of a list; anything else is a list of one.
fn elements(expr: &ast::Expr) -> &[ast::Expr] {
    match expr {
        ast::Expr::Array(list, _) => list,
        other => std::slice::from_ref(other),
    }
}

/// The name nearest to `name`, if any is near enough to be meant.
pub(super) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    crate::suggest::suggest(name, names)
}

/// Whether `arg` is one more text for `parameter`, as in `drop(a, b)`, which published queries write: no argument has the
/// parameter's name, and it can be nothing else that the function takes.
fn is_listed(signature: &Signature, (call, arg): (&ast::Call, &ast::Arg), parameter: &Parameter) -> bool {
    let (None, ast::Expr::Word(word), Kind::Texts) = (&arg.name, &arg.value, parameter.kind) else {
        return false;
    };
    let is_named = |arg: &ast::Arg| {
        arg.name
            .as_ref()
            .is_some_and(|name| signature.parameter(&name.text) == signature.parameter(parameter.name))
    };
    let is_choice = |other: &Parameter| match other.kind {
        Kind::Choice(words) | Kind::Choices(words) => {
            words.iter().any(|choice| choice.eq_ignore_ascii_case(&word.text))
        }
        _ => false,
    };
    !call.args.iter().any(is_named)
        && !signature.parameters.iter().any(is_choice)
        && (word.quoted || functions::find(&word.text).is_none())
}
