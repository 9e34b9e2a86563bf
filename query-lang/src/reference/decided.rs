//! What `GRAMMAR.md` says was decided of a function: rows of its tables whose first cell names it.

const GRAMMAR: &str = include_str!("../../GRAMMAR.md");

/// What is said of `function`, a paragraph each.
pub(super) fn notes(function: &str) -> Vec<String> {
    let rows =
        GRAMMAR.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let said =
        rows.filter(|(names, _)| names.split('`').skip(1).step_by(2).any(|name| is_meant(name, function)));
    said.map(|(_, text)| sentence(text)).collect()
}

/// `math:*` means every member of the family.
fn is_meant(name: &str, function: &str) -> bool {
    let name = name.trim_end_matches("()");
    match name.strip_suffix('*') {
        Some(family) => !family.is_empty() && function.starts_with(family),
        None => name == function,
    }
}

/// The cell of a table as a sentence.
fn sentence(text: &str) -> String {
    let text = text.replace("\\|", "|");
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_name_and_family() {
        assert_eq!(notes("round"), ["Halves up: -2.5 is -2; exact."]);
        assert_eq!(notes("math:abs"), ["No finite answer, no field; `math:mod` is `%`."]);
        assert!(notes("nothing").is_empty());
    }
}
