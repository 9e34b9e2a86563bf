//! What is known of rows without reading them.

/// Facts about a set of rows, each exact: what it says is what reading the rows would say.
pub trait Summary {
    /// How many rows there are.
    fn rows(&self) -> u64;

    /// Event times that no row is before or after, nanoseconds.
    fn times(&self) -> (i64, i64);

    /// What is known of field `name`, named as for [`super::Rows::column`].
    fn field(&self, name: &str) -> Known<'_>;
}

/// What is known of one field of some rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known<'a> {
    /// Nothing: the rows have to be read.
    Nothing,
    /// Every distinct value once, and how many rows have it; rows in none of them lack the field.
    Values(Vec<(&'a str, u64)>),
}
