//! What stands between two operands.

/// An operator over two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Operator {
    /// The operator of a sign.
    pub(super) fn of(sign: &str) -> Option<Operator> {
        Some(match sign {
            "+" => Operator::Add,
            "-" => Operator::Subtract,
            "*" => Operator::Multiply,
            "/" => Operator::Divide,
            "%" => Operator::Modulo,
            "^" => Operator::Power,
            "==" => Operator::Equal,
            "!=" => Operator::Unequal,
            "<" => Operator::Less,
            "<=" => Operator::AtMost,
            ">" => Operator::Greater,
            ">=" => Operator::AtLeast,
            _ => return None,
        })
    }

    /// The greater binds tighter.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Operator::Power => 4,
            Operator::Multiply | Operator::Divide | Operator::Modulo => 3,
            Operator::Add | Operator::Subtract => 2,
            _ => 1,
        }
    }

    /// It compares.
    pub(super) fn is_comparison(self) -> bool {
        self.precedence() == 1
    }

    /// The result of arithmetic; 1 or 0 of a comparison.
    pub(super) fn apply(self, left: f64, right: f64) -> f64 {
        let truth = |is_true: bool| f64::from(u8::from(is_true));
        match self {
            Operator::Add => left + right,
            Operator::Subtract => left - right,
            Operator::Multiply => left * right,
            Operator::Divide => left / right,
            Operator::Modulo => left % right,
            Operator::Power => left.powf(right),
            Operator::Equal => truth(left == right),
            Operator::Unequal => truth(left != right),
            Operator::Less => truth(left < right),
            Operator::AtMost => truth(left <= right),
            Operator::Greater => truth(left > right),
            Operator::AtLeast => truth(left >= right),
        }
    }
}
