//! The only home of comparison, coercion and missing-field rules.
//!
//! A value is text; where an operation asks for a number, its text is read as one. A column may hold numbers as
//! numbers, which must never show: the text of an integer is its decimal form, that of a float its shortest
//! round-trip form without a trailing `.0`.

use std::sync::Arc;

/// A value by itself.
#[derive(Clone, Debug)]
pub enum Value {
    /// Text.
    Text(Arc<str>),
    /// An integer; its text is its decimal form.
    Int(i64),
    /// A number; its text is its shortest round-trip form.
    Float(f64),
}

/// A value in a column.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// Text.
    Text(&'a str),
    /// An integer; its text is its decimal form.
    Int(i64),
    /// A number; its text is its shortest round-trip form.
    Float(f64),
}

impl Value {
    /// The value in borrowed form.
    #[must_use]
    pub fn borrow(&self) -> ValueRef<'_> {
        match self {
            Value::Text(text) => ValueRef::Text(text),
            Value::Int(value) => ValueRef::Int(*value),
            Value::Float(value) => ValueRef::Float(*value),
        }
    }
}
