//! The parameters of a request: behind the question mark, and in the body of a form.

use super::Fault;

/// Parameters in the order they came; a name may stand several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    /// Reads what stands behind the question mark and in a body of the type `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// When they are not text.
    pub fn parse(query: &str, body: &[u8]) -> Result<Form, Fault> {
        let mut pairs = Vec::new();
        for part in query.as_bytes().split(|byte| *byte == b'&').chain(body.split(|byte| *byte == b'&')) {
            if part.is_empty() {
                continue;
            }
            let at = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
            let (name, value) = part.split_at_checked(at).unwrap_or((part, b""));
            pairs.push((decoded(name)?, decoded(value.get(1..).unwrap_or_default())?));
        }
        Ok(Form { pairs })
    }

    /// The value of a parameter; empty ones are as good as none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a parameter.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let pairs = self.pairs.iter().filter(move |(have, value)| have == name && !value.is_empty());
        pairs.map(|(_, value)| value.as_str()).collect::<Vec<_>>().into_iter()
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn wanted(&self, name: &str) -> Result<&str, Fault> {
        self.get(name).ok_or_else(|| Fault::bad_data(format!("the parameter `{name}` is missing")))
    }
}

fn decoded(part: &[u8]) -> Result<String, Fault> {
    let mut out = Vec::with_capacity(part.len());
    let mut left = part;
    while let Some((byte, rest)) = left.split_first() {
        left = rest;
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
                match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                    Some(byte) => {
                        left = rest.get(2..).unwrap_or_default();
                        byte
                    }
                    None => {
                        return Err(Fault::bad_data(
                            "a `%` in a parameter is not followed by two hexadecimal digits",
                        ));
                    }
                }
            }
            byte => *byte,
        });
    }
    String::from_utf8(out).map_err(|_| Fault::bad_data("a parameter is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read() {
        let form = Form::parse("query=1%2B1&match[]=a&x", b"match%5B%5D=%7Bb%3D%22c+d%22%7D&empty=").unwrap();
        assert_eq!(form.get("query"), Some("1+1"));
        assert_eq!(form.all("match[]").collect::<Vec<_>>(), ["a", "{b=\"c d\"}"]);
        assert_eq!((form.get("x"), form.get("empty")), (None, None));
        assert!(form.wanted("time").is_err());
        for text in ["a=%", "a=%2", "a=%+1", "a=%zz", "a=%ff"] {
            assert!(Form::parse(text, b"").is_err(), "{text}");
        }
    }
}
