//! Lines, blocks and comments.

use super::Printer;
use crate::ast::{Arg, Arm, Assign, Expr, Filter, Pipeline, Step, StepKind};

/// Blocks and clauses up to this many bytes stay on one line.
const INLINE_BYTES: usize = 80;

impl Printer<'_> {
    /// The steps of a pipeline, a line each. Comments that trail a step and start before `end` stay behind it.
    pub(super) fn lines(&mut self, steps: &[Step], end: u32) {
        for (at, step) in steps.iter().enumerate() {
            self.line_of(step, at > 0);
            let next = steps.get(at + 1).map_or(end, |next| next.span.start);
            self.trailing(step.span.end, next);
        }
    }

    /// The comments before a step, and the step on its line.
    fn line_of(&mut self, step: &Step, piped: bool) {
        self.comments_before(reach(step));
        self.new_line();
        let indent = self.indent;
        if piped {
            self.put("| ");
            self.indent += 2;
        }
        self.step(step);
        self.indent = indent;
    }

    /// Writes comments that start before `end`, each on its line.
    pub(super) fn comments_before(&mut self, end: u32) {
        while let Some((comment, rest)) = self.comments.split_first() {
            if end < u32::MAX && comment.span.start >= end {
                return;
            }
            self.comments = rest;
            self.new_line();
            self.comment(comment);
        }
    }

    /// Writes comments that trail what has just been written, on the same line.
    fn trailing(&mut self, from: u32, end: u32) {
        while let Some((comment, rest)) = self.comments.split_first() {
            if !comment.trailing || comment.span.start < from || comment.span.start >= end {
                return;
            }
            self.comments = rest;
            self.put(" ");
            self.comment(comment);
            if !comment.block {
                return;
            }
        }
    }

    fn comment(&mut self, comment: &crate::ast::Comment) {
        let (open, close) = if comment.block { ("/*", "*/") } else { ("//", "") };
        self.put(open);
        self.put(&comment.text);
        self.put(close);
    }

    fn comments_inside(&self, end: u32) -> bool {
        self.comments.first().is_some_and(|comment| comment.span.start < end)
    }

    /// The pipeline on one line, if it may stand on one.
    fn inline(&self, body: &Pipeline, end: u32) -> Option<String> {
        if !self.flat && (self.comments_inside(end) || branches(&body.steps)) {
            return None;
        }
        let mut printer = Printer { out: String::new(), indent: 0, comments: &[], flat: true };
        printer.separated(&body.steps, " | ", Printer::step);
        (self.flat || printer.out.len() <= INLINE_BYTES).then_some(printer.out)
    }

    /// `{ pipeline }`, which ends before `end`.
    pub(super) fn block(&mut self, body: &Pipeline, end: u32) {
        if self.flat {
            self.put("{");
            self.separated(&body.steps, " | ", Printer::step);
            self.put("}");
            return;
        }
        if let Some(text) = self.inline(body, end) {
            self.put(&format!("{{{text}}}"));
            return;
        }
        self.put("{");
        self.indent += 2;
        self.lines(&body.steps, end);
        self.comments_before(end);
        self.indent -= 2;
        self.new_line();
        self.put("}");
    }

    fn step(&mut self, step: &Step) {
        match &step.kind {
            StepKind::Filter(filter) => self.filter(filter),
            StepKind::Call(call) => self.call(call),
            StepKind::Assign(assign) => self.assign(assign),
            StepKind::Saved(saved) => self.saved(saved),
            StepKind::Stats(items) => self.array(items, crate::parser::Reading::Values),
            StepKind::Case(clauses) => {
                let ends = |at: usize| clauses.get(at).map_or(step.span.end, |clause| clause.span.start);
                self.put("case {");
                self.indent += 2;
                for (at, clause) in clauses.iter().enumerate() {
                    self.comments_before(clause.steps.first().map_or(clause.span.start, reach));
                    self.new_line();
                    self.clause(clause, ends(at + 1));
                }
                self.close(step.span.end);
            }
            StepKind::Match(branch) => {
                let ends = |at: usize| branch.arms.get(at).map_or(step.span.end, |arm| arm.span.start);
                self.name(&branch.field);
                self.put(" match {");
                self.indent += 2;
                for (at, arm) in branch.arms.iter().enumerate() {
                    self.comments_before(arm.body.steps.first().map_or(arm.span.start, reach));
                    self.new_line();
                    self.arm(arm, ends(at + 1));
                }
                self.close(step.span.end);
            }
        }
    }

    fn close(&mut self, end: u32) {
        self.comments_before(end);
        self.indent -= 2;
        self.new_line();
        self.put("}");
    }

    fn arm(&mut self, arm: &Arm, end: u32) {
        self.guard(&arm.guard);
        self.put(" =>");
        if arm.body.steps.is_empty() {
            self.put(";");
            self.trailing(arm.span.end, end);
            return;
        }
        self.put(" ");
        self.clause(&arm.body, end);
    }

    /// The steps of a clause, which stands before `end`: on the line that has been started, or on several.
    fn clause(&mut self, body: &Pipeline, end: u32) {
        if let Some(text) = self.inline(body, body.span.end) {
            self.put(&text);
        } else {
            for (at, step) in body.steps.iter().enumerate() {
                if at == 0 {
                    self.step(step);
                } else {
                    self.line_of(step, true);
                }
                if let Some(next) = body.steps.get(at + 1) {
                    self.trailing(step.span.end, next.span.start);
                }
            }
        }
        self.put(";");
        self.trailing(body.span.end, end);
    }
}

/// Where the comments end that can only stand before a step: at its end, or at its first block, inside which the
/// others find a place.
fn reach(step: &Step) -> u32 {
    let found = match &step.kind {
        StepKind::Filter(filter) => block_in_filter(filter),
        StepKind::Call(call) => block_in_args(&call.args),
        StepKind::Assign(Assign { value, .. }) => block_in(value),
        StepKind::Saved(saved) => block_in_args(&saved.args),
        StepKind::Stats(items) => items.iter().find_map(block_in),
        StepKind::Case(_) => Some(step.span.start),
        StepKind::Match(branch) => Some(branch.field.span.end),
    };
    found.unwrap_or(step.span.end)
}

fn block_in_args(args: &[Arg]) -> Option<u32> {
    args.iter().find_map(|arg| block_in(&arg.value))
}

fn block_in_filter(filter: &Filter) -> Option<u32> {
    match filter {
        Filter::And(items, _) | Filter::Or(items, _) => items.iter().find_map(block_in_filter),
        Filter::Not(inner, _) => block_in_filter(inner),
        Filter::Call(call) => block_in_args(&call.args),
        Filter::FieldCall(call) => block_in_args(&call.call.args),
        Filter::Saved(saved) => block_in_args(&saved.args),
        Filter::Test(_) | Filter::Text(_) | Filter::Regex(_) | Filter::Param(_) => None,
        Filter::Bool(..) | Filter::Link(..) => None,
    }
}

fn block_in(expr: &Expr) -> Option<u32> {
    match expr {
        Expr::Block(_, span) => Some(span.start),
        Expr::Labelled(labelled) => Some(labelled.label.span.end),
        Expr::Call(call) => block_in_args(&call.args),
        Expr::Saved(saved) => block_in_args(&saved.args),
        Expr::Unary(_, inner, _) | Expr::Group(inner, _) => block_in(inner),
        Expr::Binary(_, left, right, _) => block_in(left).or_else(|| block_in(right)),
        Expr::Array(items, _) => items.iter().find_map(block_in),
        Expr::Assign(assign, _) => block_in(&assign.value),
        Expr::Word(_) | Expr::Text(_) | Expr::Number(_) | Expr::Bool(..) => None,
        Expr::Regex(_) | Expr::Param(_) | Expr::Link(..) => None,
    }
}

/// A `case` or `match` stands among the steps or in a block inside them.
fn branches(steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.kind {
        StepKind::Case(_) | StepKind::Match(_) => true,
        StepKind::Filter(filter) => branches_in_filter(filter),
        StepKind::Call(call) => branches_in_args(&call.args),
        StepKind::Assign(Assign { value, .. }) => branches_in(value),
        StepKind::Saved(saved) => branches_in_args(&saved.args),
        StepKind::Stats(items) => items.iter().any(branches_in),
    })
}

fn branches_in_args(args: &[Arg]) -> bool {
    args.iter().any(|arg| branches_in(&arg.value))
}

fn branches_in_filter(filter: &Filter) -> bool {
    match filter {
        Filter::And(items, _) | Filter::Or(items, _) => items.iter().any(branches_in_filter),
        Filter::Not(inner, _) => branches_in_filter(inner),
        Filter::Call(call) => branches_in_args(&call.args),
        Filter::FieldCall(call) => branches_in_args(&call.call.args),
        Filter::Saved(saved) => branches_in_args(&saved.args),
        Filter::Test(_) | Filter::Text(_) | Filter::Regex(_) | Filter::Param(_) => false,
        Filter::Bool(..) | Filter::Link(..) => false,
    }
}

fn branches_in(expr: &Expr) -> bool {
    match expr {
        Expr::Block(body, _) => branches(&body.steps),
        Expr::Labelled(labelled) => branches(&labelled.body.steps),
        Expr::Call(call) => branches_in_args(&call.args),
        Expr::Saved(saved) => branches_in_args(&saved.args),
        Expr::Unary(_, inner, _) | Expr::Group(inner, _) => branches_in(inner),
        Expr::Binary(_, left, right, _) => branches_in(left) || branches_in(right),
        Expr::Array(items, _) => items.iter().any(branches_in),
        Expr::Assign(assign, _) => branches_in(&assign.value),
        Expr::Word(_) | Expr::Text(_) | Expr::Number(_) | Expr::Bool(..) => false,
        Expr::Regex(_) | Expr::Param(_) | Expr::Link(..) => false,
    }
}
