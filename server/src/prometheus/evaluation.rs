//! What an expression comes to, given the series it reads.

use std::collections::HashMap;

use super::expression::{Expression, Node};
use super::labels::Labels;
use super::operator::Operator;
use super::{Fault, Sample, Value};

impl Expression {
    /// Its value at one time; `vectors` holds what each of its selections comes to then.
    ///
    /// # Errors
    /// When series cannot be told apart.
    pub fn evaluate(&self, vectors: &[Vec<Sample>]) -> Result<Value, Fault> {
        let value = evaluate(&self.root, vectors)?;
        if let Value::Vector(samples) = &value {
            let mut seen = HashMap::with_capacity(samples.len());
            if samples.iter().any(|sample| seen.insert(&sample.labels, ()).is_some()) {
                return Err(Fault::execution("several series of the result have the same labels"));
            }
        }
        Ok(value)
    }
}

fn evaluate(node: &Node, vectors: &[Vec<Sample>]) -> Result<Value, Fault> {
    Ok(match node {
        Node::Number(number) => Value::Scalar(*number),
        Node::Select(at) => Value::Vector(vectors.get(*at).cloned().unwrap_or_default()),
        Node::Negate(of) => match evaluate(of, vectors)? {
            Value::Scalar(number) => Value::Scalar(-number),
            Value::Vector(samples) => Value::Vector(mapped(samples, |value| -value)),
        },
        Node::Aggregate { aggregation, parameter, grouping, of } => {
            let parameter = match parameter {
                None => 0.0,
                Some(parameter) => number(evaluate(parameter, vectors)?),
            };
            match evaluate(of, vectors)? {
                Value::Vector(samples) => Value::Vector(aggregation.apply(parameter, grouping, samples)),
                // The parser lets none through.
                scalar @ Value::Scalar(_) => scalar,
            }
        }
        Node::Binary { operator, gives_bool, left, right } => {
            let (left, right) = (evaluate(left, vectors)?, evaluate(right, vectors)?);
            binary(*operator, *gives_bool, left, right)?
        }
    })
}

fn number(value: Value) -> f64 {
    match value {
        Value::Scalar(number) => number,
        Value::Vector(_) => f64::NAN,
    }
}

/// New values are no longer what the name says.
fn mapped(samples: Vec<Sample>, value: impl Fn(f64) -> f64) -> Vec<Sample> {
    let map = |sample: Sample| Sample { labels: sample.labels.without_name(), value: value(sample.value) };
    samples.into_iter().map(map).collect()
}

fn binary(operator: Operator, gives_bool: bool, left: Value, right: Value) -> Result<Value, Fault> {
    let filters = operator.is_comparison() && !gives_bool;
    Ok(match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => Value::Scalar(operator.apply(left, right)),
        (Value::Vector(mut samples), Value::Scalar(right)) if filters => {
            samples.retain(|sample| operator.apply(sample.value, right) != 0.0);
            Value::Vector(samples)
        }
        (Value::Scalar(left), Value::Vector(mut samples)) if filters => {
            samples.retain(|sample| operator.apply(left, sample.value) != 0.0);
            Value::Vector(samples)
        }
        (Value::Vector(samples), Value::Scalar(right)) => {
            Value::Vector(mapped(samples, |value| operator.apply(value, right)))
        }
        (Value::Scalar(left), Value::Vector(samples)) => {
            Value::Vector(mapped(samples, |value| operator.apply(left, value)))
        }
        (Value::Vector(left), Value::Vector(right)) => Value::Vector(joined(operator, filters, left, right)?),
    })
}

/// Pairs of series whose labels, but for the name, are the same.
fn joined(
    operator: Operator,
    filters: bool,
    left: Vec<Sample>,
    right: Vec<Sample>,
) -> Result<Vec<Sample>, Fault> {
    let several =
        || Fault::execution("several series of one side have the same labels, so they cannot be paired");
    let mut others: HashMap<Labels, (f64, bool)> = HashMap::with_capacity(right.len());
    for sample in right {
        if others.insert(sample.labels.without_name(), (sample.value, false)).is_some() {
            return Err(several());
        }
    }
    let mut pairs = Vec::new();
    for sample in left {
        let labels = sample.labels.without_name();
        let Some((other, is_paired)) = others.get_mut(&labels) else { continue };
        if std::mem::replace(is_paired, true) {
            return Err(several());
        }
        let value = operator.apply(sample.value, *other);
        match filters {
            true if value == 0.0 => {}
            true => pairs.push(sample),
            false => pairs.push(Sample { labels, value }),
        }
    }
    Ok(pairs)
}
