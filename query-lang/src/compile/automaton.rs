//! A regex as a table: for holders of rows that keep texts in pieces and never put them together.
//!
//! An [`Automaton`] reads a text byte by byte, wherever the bytes come from, and tells at its end, or earlier,
//! whether the regex matches somewhere in it. It is the dense automaton of `regex-automata` cut down to that one
//! question: all states in which a match is certain are one, and so are those in which none can come any more.
//!
//! What cannot be decided so is left open: [`Automaton::OPEN`] says that the text must be put to the regex itself.
#![allow(
    clippy::indexing_slicing,
    reason = "every state in the table is below its number of states, every class below the stride"
)]

mod dense;

use hashbrown::HashMap;

use self::dense::dense;

/// The most memory that a table, and each step on the way to it, may take, in bytes.
pub const MAX_AUTOMATON_BYTES: usize = 1 << 20;
/// The same for one that reads all of Unicode; classes like `\w` go past it, which takes milliseconds to build where
/// this takes less than one. What goes past it reads ASCII alone.
const WIDE_BYTES: usize = 32 << 10;

/// A state of an [`Automaton`].
pub type State = u16;

/// A regex as a table of states and classes of bytes.
#[derive(Clone, Debug)]
pub struct Automaton {
    /// The state after each state and class; the class behind the last stands for the end of the text.
    table: Box<[State]>,
    classes: Box<[u8; 256]>,
    /// The exponent of the row length.
    shift: u32,
    start: State,
    is_anchored: bool,
}

/// How an escape stands for a byte in a JSON string, `\u` apart.
const ESCAPES: [(u8, u8); 8] = [
    (b'"', b'"'),
    (b'\\', b'\\'),
    (b'/', b'/'),
    (b'b', 8),
    (b'f', 12),
    (b'n', b'\n'),
    (b'r', b'\r'),
    (b't', b'\t'),
];

impl Automaton {
    /// No match will come.
    pub const NEVER: State = 0;
    /// There is a match, whatever follows.
    pub const MATCH: State = 1;
    /// It cannot tell, and will not.
    pub const OPEN: State = 2;

    /// The automaton of `pattern`, in the syntax of the `regex` crate; `None` when it would be too large, or might
    /// not mean the same.
    #[must_use]
    pub fn of_pattern(pattern: &str) -> Option<Automaton> {
        let hir = regex_syntax::Parser::new().parse(pattern).ok()?;
        let properties = hir.properties();
        // An empty match inside a character does not count, and a table of bytes knows no characters.
        if properties.minimum_len() == Some(0) && !properties.look_set().is_empty() {
            return None;
        }
        let looks = !properties.look_set().is_empty();
        let is_anchored = properties.look_set().contains_anchor();
        let table = dense(&hir, false, WIDE_BYTES).or_else(|| dense(&hir, true, MAX_AUTOMATON_BYTES))?;
        Automaton::of_dense(&table, looks, is_anchored)
    }

    /// `rows` are those of the states from 3 on: the next state a class, then what the end of the text leads to.
    fn of_rows(
        classes: Box<[u8; 256]>,
        stride: usize,
        rows: &[Vec<State>],
        start: State,
        is_anchored: bool,
    ) -> Option<Automaton> {
        let shift = (stride + 1).next_power_of_two().trailing_zeros();
        if ((rows.len() + 3) << shift) * size_of::<State>() > MAX_AUTOMATON_BYTES {
            return None;
        }
        let mut table = Vec::with_capacity((rows.len() + 3) << shift);
        for state in [Automaton::NEVER, Automaton::MATCH, Automaton::OPEN] {
            table.resize(table.len() + (1 << shift), state);
        }
        for (row, nexts) in rows.iter().enumerate() {
            table.extend_from_slice(&nexts[..stride]);
            table.resize((row + 4) << shift, nexts[stride]);
        }
        Some(Automaton { table: table.into(), classes, shift, start, is_anchored })
    }

    /// The same test on the text of a JSON string as it is written: what it reads are escapes, what it tests is
    /// what they mean. A `\u` leaves it open.
    #[must_use]
    pub fn of_escaped(&self) -> Option<Automaton> {
        let mut classes = Box::new([0u8; 256]);
        let mut bytes: Vec<u8> = Vec::new();
        let mut known: HashMap<(u8, Option<u8>), u8, foldhash::fast::FixedState> = HashMap::default();
        for byte in 0..=u8::MAX {
            let special = ESCAPES.iter().any(|(letter, _)| *letter == byte).then_some(byte);
            let class = *known.entry((self.classes[usize::from(byte)], special)).or_insert_with(|| {
                bytes.push(byte);
                (bytes.len() - 1) as u8
            });
            classes[usize::from(byte)] = class;
        }
        let own = self.table.len() >> self.shift;
        let start = self.start;
        let behind = |state: State| match state {
            Automaton::NEVER | Automaton::MATCH | Automaton::OPEN => Some(state),
            state => State::try_from(usize::from(state) + own - 3).ok(),
        };
        let mut rows: Vec<Vec<State>> = Vec::with_capacity(own * 2);
        for state in 3..own as u32 {
            let state = state as State;
            let next = |byte: &u8| if *byte == b'\\' { behind(state) } else { Some(self.step(state, *byte)) };
            rows.push(bytes.iter().map(next).chain([Some(self.end(state))]).collect::<Option<_>>()?);
        }
        for state in 3..own as u32 {
            let state = state as State;
            let next = |byte: &u8| match ESCAPES.iter().find(|(letter, _)| letter == byte) {
                Some((_, meant)) => self.step(state, *meant),
                None => Automaton::OPEN,
            };
            rows.push(bytes.iter().map(next).chain([Automaton::OPEN]).collect());
        }
        Automaton::of_rows(classes, bytes.len(), &rows, start, self.is_anchored)
    }

    /// The state before a text.
    #[must_use]
    pub fn start(&self) -> State {
        self.start
    }

    /// How many states there are.
    #[must_use]
    pub fn states(&self) -> usize {
        self.table.len() >> self.shift
    }

    /// Whether `state` is one of the three that nothing leads out of.
    #[inline]
    #[must_use]
    pub fn is_final(state: State) -> bool {
        state <= Automaton::OPEN
    }

    /// The state behind `byte`.
    #[inline]
    #[must_use]
    pub fn step(&self, state: State, byte: u8) -> State {
        self.table[usize::from(state) << self.shift | usize::from(self.classes[usize::from(byte)])]
    }

    /// The state behind `text`.
    #[inline]
    #[must_use]
    pub fn run(&self, mut state: State, text: &[u8]) -> State {
        for byte in text {
            state = self.step(state, *byte);
            if Automaton::is_final(state) {
                break;
            }
        }
        state
    }

    /// What the end of the text in `state` means: one of the three final states.
    #[inline]
    #[must_use]
    pub fn end(&self, state: State) -> State {
        self.table[((usize::from(state) + 1) << self.shift) - 1]
    }

    /// Which bytes mean the same everywhere: the same number for the same class.
    #[inline]
    #[must_use]
    pub fn class(&self, byte: u8) -> u8 {
        self.classes[usize::from(byte)]
    }

    /// The regex asks for the start or the end of a text or of a line: it may match a text that is found between
    /// other bytes and yet not the whole.
    #[must_use]
    pub fn is_anchored(&self) -> bool {
        self.is_anchored
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    fn verdict(automaton: &Automaton, text: &[u8]) -> State {
        automaton.end(automaton.run(automaton.start(), text))
    }

    const PATTERNS: [&str; 30] = [
        "abc",
        "a|ab|abc$",
        "^a",
        "a$",
        r"\Aab\z",
        "(?m)^b$",
        r"\bab\b",
        r"\Bb",
        r"(?-u:\b)a",
        "(?i)ks",
        "(?i)straße",
        "é",
        "[^a]b",
        "a.c",
        "(?s)a.c",
        "(a|b)*c",
        "a{2,3}b",
        "[0-9]{3} [0-9]",
        r"\d{1,3}\.\d{1,3}",
        r"a\d+b",
        r"\w+@\w+",
        r"\pL\pN",
        "x?",
        "^$",
        "a+?b",
        r"a\sb",
        "(?R)^a$",
        r"\xE9",
        "a[[:^alpha:]]b",
        "[a&&b]",
    ];

    #[test]
    fn a_match_is_known_at_its_last_byte() {
        let automaton = Automaton::of_pattern("ab+").unwrap();
        assert_eq!(automaton.run(automaton.start(), b"xxab"), Automaton::MATCH);
        let automaton = Automaton::of_pattern("^ab").unwrap();
        assert_eq!(automaton.run(automaton.start(), b"b"), Automaton::NEVER);
        assert!(automaton.is_anchored() && !Automaton::of_pattern(r"\ba").unwrap().is_anchored());
        assert_eq!(Automaton::of_pattern("[a&&b]").unwrap().start(), Automaton::NEVER);
    }

    #[test]
    fn what_would_be_too_large_has_none() {
        assert!(Automaton::of_pattern("(a|b)*a(a|b){8}c").is_some());
        assert!(Automaton::of_pattern("(a|b)*a(a|b){20}c").is_none());
        assert!(Automaton::of_pattern(r"\w{10}-\w{10}").is_some(), "over ASCII alone it is small");
        assert!(Automaton::of_pattern("(").is_none());
        assert!(Automaton::of_pattern(r"\B").is_none(), "an empty match may lie inside a character");
    }

    #[test]
    fn escapes_are_read_as_what_they_mean() {
        let automaton = Automaton::of_pattern("a\nb\"c$").unwrap().of_escaped().unwrap();
        assert_eq!(verdict(&automaton, br#"xa\nb\"c"#), Automaton::MATCH);
        assert_eq!(verdict(&automaton, br#"xa\nb\"cd"#), Automaton::NEVER);
        assert_eq!(verdict(&automaton, br"xa\\nb"), Automaton::NEVER);
        assert_eq!(verdict(&automaton, br"a\u000ab"), Automaton::OPEN);
        assert_eq!(verdict(&automaton, br"a\"), Automaton::OPEN);
    }

    /// The patterns with what they are built to.
    static BUILT: LazyLock<Vec<(&str, regex::Regex, Automaton, Automaton)>> = LazyLock::new(|| {
        let build = |pattern| {
            let automaton = Automaton::of_pattern(pattern)?;
            let escaped = automaton.of_escaped()?;
            Some((pattern, regex::Regex::new(pattern).unwrap(), automaton, escaped))
        };
        PATTERNS.into_iter().filter_map(build).collect()
    });

    proptest! {
        #[test]
        fn it_agrees_with_the_regex(text in "([abckKsS\u{212A}é\u{df}019.@ \\n\\r]|\u{17F}){0,12}") {
            for (pattern, regex, automaton, _) in &*BUILT {
                let expected = regex.is_match(&text);
                match verdict(automaton, text.as_bytes()) {
                    Automaton::NEVER => prop_assert!(!expected, "{pattern} on {text:?}"),
                    Automaton::MATCH => prop_assert!(expected, "{pattern} on {text:?}"),
                    _ => prop_assert!(!text.is_ascii(), "{pattern} left {text:?} open"),
                }
            }
        }

        #[test]
        fn escapes_agree_with_the_regex(pieces in prop::collection::vec("[abc0.]|\\\\[\"\\\\/nt]", 0..12)) {
            let token = pieces.concat();
            let text: String = serde_json::from_str(&format!("\"{token}\"")).unwrap();
            for (pattern, regex, _, escaped) in &*BUILT {
                let verdict = verdict(escaped, token.as_bytes());
                prop_assert_eq!(verdict == Automaton::MATCH, regex.is_match(&text), "{} on {}", pattern, token);
                prop_assert!(verdict != Automaton::OPEN);
            }
        }
    }
}
