//! Brackets: what they open, and what ends with them, with a pipe, a `;` or a comma.

use super::frame::{Args, FrameKind, Mark, Place, args, frame};
use super::{Scanner, Touched};
use crate::functions;
use crate::lexer::words;
use crate::parser::Reading;

impl<'t> Scanner<'t> {
    /// An opening bracket, which has been passed.
    pub(super) fn bracket(&mut self, byte: u8, start: usize) -> Option<Touched> {
        let (last, before) = (self.top().last, self.top().before);
        let inherited = self.top().is_arithmetic;
        if let (b'(', Some(Mark::Name(span, name))) = (byte, last)
            && words::is_call_name(name)
            && (span.range().end == start || words::is_spaced_call(name))
        {
            self.forget_name(before);
            let is_arithmetic = Reading::of(name) == Reading::Expressions;
            return self.open(FrameKind::Call(args(name)), is_arithmetic);
        }
        if let (b'{', Some(Mark::Name(_, word))) = (byte, last) {
            if word.eq_ignore_ascii_case("case") {
                return self.open(FrameKind::Pipeline(Place::Case), false);
            }
            if let (true, Some(Mark::Name(_, field))) = (word.eq_ignore_ascii_case("match"), before) {
                return self.open(FrameKind::Guards(field), false);
            }
        }
        let in_call = self.out.stack.iter().any(|frame| matches!(frame.kind, FrameKind::Call(_)));
        match byte {
            b'{' => self.open(FrameKind::Pipeline(Place::Block), false),
            b'(' if !in_call => self.open(FrameKind::Group, inherited),
            _ => self.open(FrameKind::List, inherited),
        }
    }

    /// The last mark was the name of a call that opens.
    fn forget_name(&mut self, before: Option<Mark<'t>>) {
        if let Some(top) = self.out.stack.last_mut() {
            (top.last, top.before) = (before, None);
        }
    }

    pub(super) fn open(&mut self, kind: FrameKind<'t>, is_arithmetic: bool) -> Option<Touched> {
        self.out.stack.push(frame(kind, is_arithmetic));
        None
    }

    pub(super) fn saved(&mut self, name: &'t str) {
        let at = self.lexer.at();
        self.lexer.skip_trivia();
        if self.lexer.at() < self.cursor && self.lexer.eat("(").is_some() {
            self.out.stack.push(frame(FrameKind::Saved(args(name)), false));
            return;
        }
        self.lexer.go(at);
        self.mark(Mark::Whole);
    }

    pub(super) fn close(&mut self, byte: u8) {
        let closes = |kind: &FrameKind<'_>| match kind {
            FrameKind::Call(_) | FrameKind::Saved(_) | FrameKind::Group => byte == b')',
            FrameKind::List => byte != b'}',
            FrameKind::Pipeline(place) => byte == b'}' && *place != Place::Text,
            FrameKind::Guards(_) | FrameKind::Parameter => byte == b'}',
        };
        let Some(mut at) = self.out.stack.iter().rposition(|frame| closes(&frame.kind)) else { return };
        // The brace behind the last arm closes the `match` around it.
        let is_arm = matches!(self.out.stack.get(at), Some(arm) if matches!(arm.kind, FrameKind::Pipeline(Place::Arm)));
        at -= usize::from(is_arm);
        if at == 0 {
            return;
        }
        let closed = self.out.stack.drain(at..).next();
        if let Some(FrameKind::Call(args)) = closed.map(|closed| closed.kind) {
            self.end_call(&args);
        }
        self.mark(Mark::Whole);
    }

    /// A call writes its default field where no other is named.
    fn end_call(&mut self, args: &Args<'t>) {
        let Some(signature) = functions::find(args.name) else { return };
        let output = signature.parameter("as").and_then(|at| signature.parameters.get(at));
        let is_named = args.given.iter().any(|name| name.eq_ignore_ascii_case("as"));
        let assigned = matches!(self.top().last, Some(Mark::Operator(":=")));
        if let Some(name) = output.and_then(|output| output.default).filter(|_| !is_named && !assigned) {
            self.make(name);
        }
        let counts = signature.parameters.iter().any(|parameter| parameter.default == Some("count"));
        if counts && !args.given.iter().any(|name| name.eq_ignore_ascii_case("function")) {
            self.make("_count");
        }
    }

    /// `|`: back to the pipeline around.
    pub(super) fn end_step(&mut self) {
        while self.out.stack.len() > 1 && !matches!(self.top().kind, FrameKind::Pipeline(_)) {
            self.out.stack.pop();
        }
        self.begin_step();
    }

    fn begin_step(&mut self) {
        self.clear();
        if let Some(top) = self.out.stack.last_mut() {
            top.is_arithmetic = false;
        }
    }

    /// `;`: back to the `case` or `match` around, where there is one.
    pub(super) fn end_clause(&mut self) {
        let is_around =
            |kind: &FrameKind<'_>| matches!(kind, FrameKind::Pipeline(Place::Case) | FrameKind::Guards(_));
        match self.out.stack.iter().rposition(|frame| is_around(&frame.kind)) {
            Some(at) => {
                self.out.stack.truncate(at + 1);
                self.begin_step();
            }
            None => self.end_step(),
        }
    }

    pub(super) fn end_argument(&mut self) {
        if let Some(top) = self.out.stack.last_mut() {
            if let FrameKind::Call(args) | FrameKind::Saved(args) = &mut top.kind
                && args.parameter.take().is_none()
                && top.last.is_some()
            {
                args.unnamed += 1;
            }
            if !matches!(top.kind, FrameKind::Pipeline(_) | FrameKind::Guards(_)) {
                (top.last, top.before) = (None, None);
            }
        }
    }
}
