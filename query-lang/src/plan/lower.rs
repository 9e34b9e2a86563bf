//! From the tree to the plan: pipelines and steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ast;
use crate::compile::Options;
use crate::error::{Diagnostic, Diagnostics};
use crate::functions::{Argument, Build, unfold};
use crate::plan::parameters::Scope;
use crate::plan::queries::Defined;
use crate::plan::{Call, Created, Emission, Expression, Filter, Interval, Place, Plan, Step, Test, TextTest};
use crate::span::Span;

/// The most steps a plan may have, saved queries and clauses included.
pub const MAX_PLAN_STEPS: usize = 20_000;
/// The deepest chain of saved queries calling each other.
pub const MAX_SAVED_DEPTH: usize = 16;

/// Makes a plan of `query`.
///
/// # Errors
/// Every fault found, each with its span.
pub fn lower(query: &ast::Query, options: &Options) -> Result<Plan, Diagnostics> {
    let mut defaults = BTreeMap::new();
    let mut tracks = false;
    // A default may be declared behind its first use (`f=?x | ?{x=*}`): a second pass then knows it. Another knows what stands in
    // front of a step, where that is asked for.
    for pass in 0..3 {
        let known = defaults.len();
        let mut lowering = Lowering::new(options, std::mem::take(&mut defaults));
        lowering.tracks = tracks;
        let steps = lowering.pipeline(&query.pipeline);
        if lowering.wants_before && !tracks && pass < 2 {
            tracks = true;
            defaults = lowering.defaults;
            continue;
        }
        let plan = Plan {
            interval: lowering.interval.take(),
            emission: lowering.emission.take(),
            warnings: std::mem::take(&mut lowering.warnings),
            queries: lowering.queries.drain(..).map(|defined| defined.query).collect(),
            steps,
            looks_up: lowering.looks_up,
        };
        if lowering.faults.is_empty() {
            let plan = super::simplify::simplify(plan, &mut lowering.faults);
            return if lowering.faults.is_empty() { Ok(plan) } else { Err(sorted(lowering.faults)) };
        }
        defaults = lowering.defaults;
        if pass == 2 || defaults.len() == known {
            return Err(sorted(lowering.faults));
        }
    }
    Ok(Plan::default())
}

fn sorted(mut list: Vec<Diagnostic>) -> Diagnostics {
    list.sort_by_key(|fault| fault.span.start);
    list.dedup();
    Diagnostics { list }
}

/// The state of one pass over a tree.
pub(super) struct Lowering<'o> {
    pub(super) options: &'o Options,
    pub(super) faults: Vec<Diagnostic>,
    pub(super) scope: Scope,
    pub(super) defaults: BTreeMap<String, String>,
    /// The saved queries being inlined, outermost first.
    calls: Vec<String>,
    interval: Option<Interval>,
    emission: Option<Emission>,
    /// The steps in front of what is lowered now that are not those of its own pipeline, where `tracks`.
    pub(super) before: Vec<Step>,
    /// `before` is kept up.
    tracks: bool,
    /// `before` was asked for.
    pub(super) wants_before: bool,
    /// How many braces are open around what is lowered now.
    depth: usize,
    /// The queries inside, in the order in which they run.
    pub(super) queries: Vec<Defined>,
    /// What is told with every result.
    pub(super) warnings: Vec<String>,
    /// Lookup tables or saved queries were asked for.
    pub(super) looks_up: bool,
    steps: usize,
}

impl<'o> Lowering<'o> {
    fn new(options: &'o Options, defaults: BTreeMap<String, String>) -> Lowering<'o> {
        Lowering {
            options,
            faults: Vec::new(),
            scope: Scope { given: options.arguments.clone() },
            defaults,
            calls: Vec::new(),
            interval: None,
            emission: None,
            before: Vec::new(),
            tracks: false,
            wants_before: false,
            depth: 0,
            queries: Vec::new(),
            warnings: Vec::new(),
            looks_up: false,
            steps: 0,
        }
    }

    pub(super) fn fault(&mut self, code: &'static str, message: impl Into<String>, span: Span) {
        self.faults.push(Diagnostic { code, message: message.into(), span, hint: None });
    }

    pub(super) fn pipeline(&mut self, pipeline: &ast::Pipeline) -> Vec<Step> {
        let mut out = Vec::new();
        for step in &pipeline.steps {
            self.steps += 1;
            if self.steps > MAX_PLAN_STEPS {
                if self.steps == MAX_PLAN_STEPS + 1 {
                    let message = format!("the query has more than {MAX_PLAN_STEPS} steps");
                    self.fault("limit", message, step.span);
                }
                return out;
            }
            if self.emission.is_some() {
                self.fault("position", "nothing may follow `emit`", step.span);
                return out;
            }
            self.step(step, &mut out);
        }
        out
    }

    /// Steps in braces.
    pub(super) fn inner(&mut self, pipeline: &ast::Pipeline) -> Vec<Step> {
        self.depth += 1;
        let steps = self.pipeline(pipeline);
        self.depth -= 1;
        steps
    }

    fn step(&mut self, step: &ast::Step, out: &mut Vec<Step>) {
        let outer = self.before.len();
        if self.tracks && !matches!(step.kind, ast::StepKind::Call(_)) {
            self.before.extend_from_slice(out);
        }
        self.lower_step(step, out);
        self.before.truncate(outer);
    }

    fn lower_step(&mut self, step: &ast::Step, out: &mut Vec<Step>) {
        match &step.kind {
            ast::StepKind::Filter(filter) => self.filter_step(filter, out),
            ast::StepKind::Call(call) => self.call_step(call, None, out),
            ast::StepKind::Assign(assign) => self.assign(assign, out),
            ast::StepKind::Case(clauses) => {
                let clauses = clauses.iter().map(|clause| self.clause(Vec::new(), clause)).collect();
                out.push(Step::Case(clauses));
            }
            ast::StepKind::Match(arms) => self.match_step(arms, out),
            ast::StepKind::Saved(call) => {
                let steps = self.saved(call);
                out.extend(steps);
            }
            ast::StepKind::Stats(aggregates) => {
                let aggregates = aggregates.iter().flat_map(|one| self.aggregates(one)).collect();
                out.extend(self.made(
                    "stats",
                    vec![("function", Argument::Aggregates(aggregates))],
                    step.span,
                ));
            }
        }
    }

    /// One clause of `case` or `match`: what guards it, then what it does. Aggregates have no place in it.
    fn clause(&mut self, mut guard: Vec<Step>, body: &ast::Pipeline) -> Vec<Step> {
        let (start, outer) = (guard.len(), self.before.len());
        if self.tracks {
            self.before.extend_from_slice(&guard);
        }
        let body_steps = self.inner(body);
        self.before.truncate(outer);
        guard.extend(body_steps);
        for step in guard.get(start..).unwrap_or_default() {
            if let Some(name) = aggregate_name(step) {
                let message = format!("the aggregate `{name}` cannot stand inside `case` or `match`");
                let span = match step {
                    Step::Call(call) => call.arguments.span,
                    _ => body.span,
                };
                self.faults.push(Diagnostic { code: "position", message, span, hint: None });
                break;
            }
        }
        guard
    }

    fn match_step(&mut self, arms: &ast::Match, out: &mut Vec<Step>) {
        let field: Arc<str> = arms.field.text.as_str().into();
        let mut clauses = Vec::with_capacity(arms.arms.len());
        for arm in &arms.arms {
            let mut guard = Vec::new();
            match &arm.guard {
                ast::Guard::Any(_) => {}
                ast::Guard::Pattern(pattern) => {
                    guard.push(Step::Filter(anchored(&field, vec![pattern.text.clone()])));
                }
                ast::Guard::Param(param) => {
                    let values = self.values(param);
                    guard.push(Step::Filter(anchored(&field, values)));
                }
                ast::Guard::Regex(regex) => self.regex_step(Some(&field), regex, &mut guard),
                ast::Guard::Call(call) => self.call_step(call, Some(&arms.field), &mut guard),
            }
            clauses.push(self.clause(guard, &arm.body));
        }
        out.push(Step::Case(clauses));
    }

    fn assign(&mut self, assign: &ast::Assign, out: &mut Vec<Step>) {
        let target: Arc<str> = assign.target.text.as_str().into();
        if let (ast::Expr::Call(call), false) = (&assign.value, assign.dynamic)
            && let Some(signature) = self.signature(&call.name)
        {
            let special = matches!(signature.name, "if" | "coalesce" | "test" | "eval");
            if !special && signature.parameter("as").is_some() {
                let given = vec![("as", Argument::Text(target))];
                out.extend(self.call_with(call, None, given).map(Step::Call));
                return;
            }
            if matches!(signature.build, Build::Aggregate | Build::Sequence) {
                let message = format!("`{}` has no `as`: its output cannot be assigned", signature.name);
                return self.fault("argument", message, call.span);
            }
        }
        let value = self.expression(&assign.value);
        out.push(Step::Assign { target, dynamic: assign.dynamic, value });
    }

    /// A call as a step: some calls are other steps in disguise.
    pub(super) fn call_step(&mut self, call: &ast::Call, field: Option<&ast::Name>, out: &mut Vec<Step>) {
        let Some(checked) = self.call(call, field) else { return };
        let arguments = &checked.arguments;
        match (arguments.signature().build, arguments.signature().name) {
            (Build::Filter(_), _) => out.push(Step::Filter(Filter::Call(checked))),
            (Build::Condition(build), _) => match build(arguments) {
                Ok(filter) => out.push(Step::Filter(filter)),
                Err(fault) => self.faults.push(fault),
            },
            (Build::Row(_) | Build::Aggregate | Build::Sequence, _) => out.push(Step::Call(checked)),
            (Build::Plan, "dropEvent") if self.options.is_parser => out.push(super::parser::dropped()),
            (Build::Plan, "dropEvent") => out.push(Step::Filter(Filter::Bool(false))),
            (Build::Plan, "eval") => {
                for (target, value) in arguments.assignments("assignments") {
                    out.push(Step::Assign {
                        target: Arc::clone(target),
                        dynamic: false,
                        value: value.clone(),
                    });
                }
            }
            (Build::Plan, name @ ("setTimeInterval" | "emit")) if self.depth > 0 => {
                let message = format!(
                    "`{name}` is said of the whole query: it cannot stand inside `case` or `match`, nor in braces"
                );
                self.fault("position", message, call.span);
            }
            (Build::Plan, "setTimeInterval") => {
                let text = |name: &str| arguments.text(name).map(|text| text.to_string());
                self.check_times(arguments);
                let interval = Interval {
                    start: text("start").unwrap_or_default(),
                    end: text("end"),
                    timezone: text("timezone"),
                };
                if self.interval.replace(interval).is_some() {
                    self.fault("position", "`setTimeInterval` may stand only once", call.span);
                }
            }
            (Build::Plan, "emit") if !self.options.is_standing => {
                let message =
                    "`emit` says when a standing query gives its results out; this query is not one";
                self.fault("position", message, call.span);
            }
            (Build::Plan, "emit") => {
                let text = |name: &str| arguments.text(name).map(|text| text.to_string());
                let (trigger, refinement) = (text("trigger"), text("refinement"));
                self.emission = Some(Emission { trigger, refinement, place: Place(call.span) });
            }
            (Build::Plan, "sankey") => self.sankey(&checked, out),
            (Build::Plan, "worldMap") => self.world_map(&checked, out),
            (Build::Plan, "defineTable") => self.define_table(&checked),
            (Build::Plan, "join") => out.extend(self.join(&checked)),
            (Build::Plan, "selfJoinFilter") => self.self_join_filter(&checked, out),
            (Build::Plan, "selfJoin") => self.self_join(&checked, out),
            (Build::Plan, "correlate") => self.correlate(&checked, out),
            (Build::Plan, "array:reduceAll") => {
                out.push(Step::Call(unfold::step(arguments, None)));
                let aggregates = Argument::Aggregates(arguments.aggregates("function").to_vec());
                out.extend(self.made("stats", vec![("function", aggregates)], call.span));
            }
            (Build::Plan, "createEvents") => {
                // What precedes it is discarded.
                out.clear();
                out.push(Step::Create(Created::Events(arguments.texts("rawstring").to_vec())));
            }
            (Build::Plan, "readFile") => {
                out.clear();
                self.check_columns(arguments);
                out.push(Step::Create(read_file(arguments)));
            }
            (Build::Plan, _) => {
                let target = arguments.text_or_empty("as");
                if let Some(value) = self.special_value(&checked) {
                    out.push(Step::Assign { target, dynamic: false, value });
                }
            }
        }
    }

    /// `if` and `coalesce` as expressions.
    pub(super) fn special_value(&mut self, call: &Call) -> Option<Expression> {
        let arguments = &call.arguments;
        let part = |name: &str| arguments.expression(name).cloned();
        match arguments.signature().name {
            "if" => Some(Expression::If(Box::new((part("condition")?, part("then")?, part("else")?)))),
            "coalesce" => Some(Expression::Coalesce {
                list: arguments.expressions("expressions").to_vec(),
                ignore_empty: arguments.is_true("ignoreEmpty"),
            }),
            name => {
                let message = format!("`{name}` gives no value");
                self.fault("position", message, arguments.span);
                None
            }
        }
    }

    /// The steps of a saved query, its parameters filled in.
    pub(super) fn saved(&mut self, call: &ast::SavedCall) -> Vec<Step> {
        let name = call.name.text.as_str();
        self.looks_up = true;
        let Some(text) = self.options.saved.get(name) else {
            let near = super::arguments::nearest(name, self.options.saved.keys().map(String::as_str));
            self.faults.push(Diagnostic {
                code: "unknown-saved-query",
                message: format!("unknown saved query `{name}`"),
                span: call.name.span,
                hint: near.map(|near| format!("did you mean `{near}`?")),
            });
            return Vec::new();
        };
        if self.calls.iter().any(|outer| outer == name) || self.calls.len() >= MAX_SAVED_DEPTH {
            let message = match self.calls.len() {
                MAX_SAVED_DEPTH => format!("saved queries call each other more than {MAX_SAVED_DEPTH} deep"),
                _ => format!("saved query `{name}` calls itself"),
            };
            self.fault("saved-query-cycle", message, call.span);
            return Vec::new();
        }
        let mut given = BTreeMap::new();
        for arg in &call.args {
            let Some(parameter) = &arg.name else {
                self.fault("argument", "arguments of saved queries are named", arg.span);
                continue;
            };
            given.insert(parameter.text.clone(), self.text_list(&arg.value));
        }
        let parsed = crate::parser::parse(text);
        let outer_scope = std::mem::replace(&mut self.scope, Scope { given });
        let outer_defaults = std::mem::take(&mut self.defaults);
        let faults_before = self.faults.len();
        self.calls.push(name.to_owned());
        self.faults.extend(parsed.diagnostics.list);
        let steps = self.pipeline(&parsed.query.pipeline);
        self.calls.pop();
        self.scope = outer_scope;
        self.defaults = outer_defaults;
        // Faults inside point into another text: they are shown at the call.
        for fault in self.faults.iter_mut().skip(faults_before) {
            fault.span = call.span;
            fault.message = format!("in saved query `{name}`: {}", fault.message);
        }
        steps
    }
}

/// `field` is one of `patterns`, each text or glob for the whole value.
pub(super) fn anchored(field: &Arc<str>, patterns: Vec<String>) -> Filter {
    let everything = |pattern: &String| !pattern.is_empty() && pattern.bytes().all(|byte| byte == b'*');
    let test = if patterns.iter().any(everything) {
        Test::Present
    } else {
        Test::Text(TextTest::AnyOf { patterns, ignore_case: false })
    };
    Filter::Test { field: Arc::clone(field), test }
}

/// Why a query with a call of `function` cannot be kept standing; `None`: it can.
pub(super) fn not_standing(function: &str) -> Option<&'static str> {
    match function {
        "join" | "defineTable" | "selfJoinFilter" | "selfJoin" | "correlate" => Some(
            "the query inside it would have to run again with every event; `match` looks things up in a file as \
             they come",
        ),
        "createEvents" | "readFile" => Some("it makes its rows itself instead of reading those that come"),
        _ => None,
    }
}

/// `readFile`: the rows of tables instead of events.
fn read_file(arguments: &crate::functions::Arguments) -> Created {
    let tables = arguments.tables("file").to_vec();
    let limit = arguments.integer("limit").and_then(|limit| usize::try_from(limit).ok());
    let include = arguments.texts("include").iter().filter(|name| ***name != *"*").cloned().collect();
    Created::Tables { tables, include, limit: limit.unwrap_or(usize::MAX) }
}

/// The name of the aggregate in `step`, or of the function over rows in their order, if there is one.
pub(super) fn aggregate_name(step: &Step) -> Option<&'static str> {
    match step {
        Step::Call(call) => {
            let signature = call.arguments.signature();
            matches!(signature.build, Build::Aggregate | Build::Sequence).then_some(signature.name)
        }
        _ => None,
    }
}
