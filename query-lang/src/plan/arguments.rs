//! Calls: names looked up, arguments checked against the signature, each brought into the form it asks for ([`value`]; steps:
//! [`block`]).

mod block;
mod value;

use std::sync::Arc;

use crate::ast;
use crate::error::Diagnostic;
use crate::functions::{self, Argument, Arguments, Kind, Parameter, Signature};
use crate::plan::Call;
use crate::plan::expression::span_of;
use crate::plan::lower::{Lowering, not_standing};
use crate::span::Span;

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
