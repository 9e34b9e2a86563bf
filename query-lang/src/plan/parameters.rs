//! `?param`: where its values come from, and how a text is split into several.

use std::collections::BTreeMap;

use crate::ast;
use crate::error::Diagnostic;
use crate::plan::lower::Lowering;

/// The values of parameters in force: of the innermost saved query call, then of the whole query.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// Values given, by name.
    pub(super) given: BTreeMap<String, Vec<String>>,
}

impl Lowering<'_> {
    /// The values of `param`, each as given; any-of.
    pub(super) fn values(&mut self, param: &ast::Param) -> Vec<String> {
        let values = self.raw_values(param);
        values.iter().flat_map(|text| split_list(text)).collect()
    }

    /// The value of `param` where one text is asked for.
    pub(super) fn value(&mut self, param: &ast::Param) -> String {
        let values = self.raw_values(param);
        if let [_, _, ..] = values.as_slice() {
            self.fault(
                "parameter",
                format!("parameter `{}` has several values here", param.name.text),
                param.span,
            );
        }
        values.into_iter().next().unwrap_or_default()
    }

    fn raw_values(&mut self, param: &ast::Param) -> Vec<String> {
        let name = &param.name.text;
        if let Some(default) = &param.default {
            self.defaults.entry(name.clone()).or_insert_with(|| default.text.clone());
        }
        if let Some(values) = self.scope.given.get(name).filter(|values| !values.is_empty()) {
            return values.clone();
        }
        if let Some(default) = self.defaults.get(name) {
            return vec![default.clone()];
        }
        self.faults.push(Diagnostic {
            code: "parameter",
            message: format!("parameter `{name}` has no value"),
            span: param.span,
            hint: Some(format!("give it one, or a default: `?{{{name}=*}}`")),
        });
        vec![String::new()]
    }
}

/// `cat, hat` is two values; `"cat, hat"` is one, and `\"` in it is a quote.
pub(super) fn split_list(text: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut value = String::new();
    let mut quoted = false;
    let mut was_quoted = false;
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\\' if quoted && rest.peek() == Some(&'"') => value.extend(rest.next()),
            '"' if quoted || value.trim().is_empty() => {
                if !quoted {
                    value.clear();
                }
                quoted = !quoted;
                was_quoted = true;
            }
            ',' if !quoted => {
                let one = std::mem::take(&mut value);
                values.push(if was_quoted { one } else { one.trim().to_owned() });
                was_quoted = false;
            }
            _ if was_quoted && !quoted && next.is_whitespace() => {}
            _ => value.push(next),
        }
    }
    if values.is_empty() && !was_quoted {
        // A single value is taken as it stands.
        return vec![text.to_owned()];
    }
    values.push(if was_quoted { value } else { value.trim().to_owned() });
    values
}

#[cfg(test)]
mod tests {
    use super::split_list;

    #[test]
    fn lists_split_at_commas_outside_quotes() {
        for (text, values) in [
            ("cat", &["cat"][..]),
            ("", &[""]),
            (" cat ", &[" cat "]),
            ("cat, hat", &["cat", "hat"]),
            ("\"cat, hat\"", &["cat, hat"]),
            ("\"a \\\" b\" , c", &["a \" b", "c"]),
            ("a,,b", &["a", "", "b"]),
        ] {
            assert_eq!(split_list(text), values, "{text}");
        }
    }
}
