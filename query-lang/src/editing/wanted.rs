//! What may stand at a place, told from what stands around it.

use super::scan::{Args, FrameKind, Mark, Place, Scan, Touched};
use crate::functions::{self, Build, Kind, Parameter, Signature};

/// What may stand at the cursor.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted<'s> {
    /// Nothing that has a name.
    Nothing,
    /// A step, or a condition that is one.
    Step(Place),
    /// A condition.
    Condition,
    /// Behind a whole condition: another, or `and` and `or`.
    Next,
    /// A value of this field.
    Value(&'s str),
    /// A call that takes the field before `=~`.
    FilterCall,
    /// What `:=` writes.
    Assigned,
    /// An operand of an expression.
    Operand,
    /// An aggregate.
    Aggregate,
    /// An argument: `name=value`, or the unnamed one, if none is there yet.
    Argument(Called<'s>, Option<&'static Parameter>),
    /// The value of a parameter, or an element of it.
    ParameterValue(Called<'s>, &'static Parameter),
    /// An argument of a saved query.
    SavedArgument(&'s Args<'s>),
    /// `$name`
    SavedQuery,
    /// `?name`
    QueryParameter,
    /// A guard of `match` on this field.
    Guard(&'s str),
}

/// A call around the cursor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Called<'s> {
    pub(super) args: &'s Args<'s>,
    pub(super) signature: &'static Signature,
    /// `=~` or a guard gives it its field.
    pub(super) has_field: bool,
}

impl<'s> Wanted<'s> {
    /// What may stand where `scan` ended.
    pub(super) fn of(scan: &'s Scan<'s>) -> Wanted<'s> {
        let Some(top) = scan.top() else { return Wanted::Nothing };
        match scan.touched {
            _ if scan.is_too_deep => return Wanted::Nothing,
            Touched::Opaque(_) => return Wanted::Nothing,
            Touched::Saved(_) => return Wanted::SavedQuery,
            Touched::Parameter(_) => return Wanted::QueryParameter,
            Touched::Nothing | Touched::Word(_) | Touched::Text(..) => {}
        }
        match &top.kind {
            FrameKind::Parameter if top.last.is_none() => Wanted::QueryParameter,
            FrameKind::Parameter => Wanted::Nothing,
            FrameKind::Guards(field) if top.last.is_none() => Wanted::Guard(field),
            FrameKind::Guards(_) => Wanted::Nothing,
            FrameKind::Saved(args) if top.last.is_none() && args.parameter.is_none() => {
                Wanted::SavedArgument(args)
            }
            FrameKind::Saved(_) => Wanted::Nothing,
            FrameKind::Call(_) | FrameKind::List => argument(scan),
            FrameKind::Pipeline(_) | FrameKind::Group if top.is_arithmetic => operand(top.last),
            FrameKind::Pipeline(place) => condition(top.last, top.before, Wanted::Step(*place)),
            FrameKind::Group => condition(top.last, top.before, Wanted::Condition),
        }
    }
}

fn condition<'s>(last: Option<Mark<'s>>, before: Option<Mark<'s>>, first: Wanted<'s>) -> Wanted<'s> {
    match (last, before) {
        (None, _) => first,
        (Some(Mark::Joint), _) => Wanted::Condition,
        (Some(Mark::Operator("=" | "!=" | "==" | "like")), Some(Mark::Name(_, field))) => {
            Wanted::Value(field)
        }
        (Some(Mark::Operator("=~")), _) => Wanted::FilterCall,
        (Some(Mark::Operator(_)), _) => Wanted::Nothing,
        (Some(Mark::Name(..) | Mark::Whole), _) => Wanted::Next,
    }
}

fn operand(last: Option<Mark<'_>>) -> Wanted<'_> {
    match last {
        Some(Mark::Operator(":=")) => Wanted::Assigned,
        None | Some(Mark::Operator(_) | Mark::Joint) => Wanted::Operand,
        Some(Mark::Name(..) | Mark::Whole) => Wanted::Nothing,
    }
}

fn argument<'s>(scan: &'s Scan<'s>) -> Wanted<'s> {
    let (Some(top), Some(args)) = (scan.top(), scan.call()) else {
        // `[count(), ..]` as a step.
        let is_list =
            scan.stack.len() > 1 && !scan.stack.iter().any(|frame| matches!(frame.kind, FrameKind::Saved(_)));
        return if is_list { Wanted::Aggregate } else { Wanted::Nothing };
    };
    let Some(signature) = functions::find(args.name) else { return Wanted::Nothing };
    let called = Called { args, signature, has_field: has_field(scan) };
    let is_list = matches!(top.kind, FrameKind::List);
    match (top.last, args.parameter) {
        (Some(Mark::Operator(":=")), _) => Wanted::Aggregate,
        (Some(Mark::Operator(_) | Mark::Joint), _) if top.is_arithmetic => Wanted::Operand,
        (Some(_), _) => Wanted::Nothing,
        (None, Some(_)) if called.is_eval() => Wanted::Operand,
        (None, Some(name)) => match called.parameter(name) {
            Some(parameter) => Wanted::ParameterValue(called, parameter),
            None => Wanted::Nothing,
        },
        (None, None) if is_list => match called.unnamed() {
            Some(parameter) => Wanted::ParameterValue(called, parameter),
            None => Wanted::Nothing,
        },
        (None, None) if called.is_eval() => Wanted::Nothing,
        (None, None) => Wanted::Argument(called, called.unnamed().filter(|_| args.unnamed == 0)),
    }
}

/// The call around the cursor stands behind `=~`, or is a guard.
fn has_field(scan: &Scan<'_>) -> bool {
    let at = scan.stack.iter().rposition(|frame| matches!(frame.kind, FrameKind::Call(_)));
    let outer = at.and_then(|at| scan.stack.get(at.checked_sub(1)?));
    outer.is_some_and(|outer| {
        matches!(outer.kind, FrameKind::Guards(_)) || matches!(outer.last, Some(Mark::Operator("=~")))
    })
}

impl Called<'_> {
    /// Its arguments are named as the fields that it writes.
    fn is_eval(&self) -> bool {
        matches!(self.signature.parameters, [Parameter { kind: Kind::Assignments, .. }])
    }

    /// The parameter called `name`.
    pub(super) fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.signature.parameters.get(self.signature.parameter(name)?)
    }

    /// The parameter that takes the unnamed argument, unless it is given.
    pub(super) fn unnamed(&self) -> Option<&'static Parameter> {
        let taken = self.has_field.then(|| self.signature.parameter("field").unwrap_or(0));
        let mut slots = self.signature.parameters.iter().enumerate();
        let (_, parameter) = slots.find(|(at, _)| Some(*at) != taken)?;
        (!self.is_given(parameter)).then_some(parameter)
    }

    /// A value for `parameter` stands before the cursor, by name or by its place.
    pub(super) fn is_given(&self, parameter: &Parameter) -> bool {
        let at = self.signature.parameter(parameter.name);
        let first = self.signature.parameters.first().is_some_and(|first| first.name == parameter.name);
        let by_field = self.has_field && parameter.name == "field";
        by_field
            || first && self.args.unnamed > 0
            || self.args.given.iter().any(|name| self.signature.parameter(name) == at)
    }
}

/// A call of it may be a condition.
pub(super) fn is_condition(signature: &Signature) -> bool {
    matches!(signature.build, Build::Condition(_) | Build::Filter(_))
        || matches!(signature.name, "match" | "join" | "ioc:lookup" | "regex")
}

/// A call of it may stand in an expression.
pub(super) fn is_value(signature: &Signature) -> bool {
    match signature.build {
        Build::Condition(_) | Build::Filter(_) => true,
        Build::Row(_) => signature.parameter("as").is_some(),
        _ => signature.is_value(),
    }
}

/// It works on all rows, not on each: no place for it in a clause.
pub(super) fn is_aggregate(signature: &Signature) -> bool {
    matches!(signature.build, Build::Aggregate | Build::Sequence)
        || matches!(signature.name, "sankey" | "worldMap" | "array:reduceAll")
}

/// What texts of a parameter are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Texts {
    /// Fields that events have.
    Fields,
    /// Columns of the table that the call looks things up in.
    Columns,
    /// Anything.
    Free,
}

/// What the texts of `parameter` are: most that are texts name fields, and the names of parameters tell which.
pub(super) fn texts_of(signature: &Signature, parameter: &Parameter) -> Texts {
    if !matches!(parameter.kind, Kind::Text | Kind::Texts | Kind::Pairs) {
        return Texts::Free;
    }
    let looks_up = signature.parameters.iter().any(|other| matches!(other.kind, Kind::Table | Kind::Tables));
    match parameter.name {
        "column" if looks_up => Texts::Columns,
        "include" if looks_up => Texts::Columns,
        "include" if matches!(signature.build, Build::Aggregate | Build::Sequence) => Texts::Fields,
        "field" | "fields" | "series" | "array" | "x" | "y" | "sortby" | "source" | "target" => Texts::Fields,
        "lat" | "lon" | "lat1" | "lon1" | "lat2" | "lon2" | "ip" | "timestampfield" | "pivot" | "header" => {
            Texts::Fields
        }
        "sourceip" | "destinationip" | "sourceport" | "destinationport" | "proto" | "icmptype"
        | "icmpcode" => Texts::Fields,
        "sum" | "max" if signature.name == "top" => Texts::Fields,
        _ => Texts::Free,
    }
}
