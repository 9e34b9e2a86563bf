//! Pages of the reference, as Markdown.

use super::{FAMILIES, Family, Page, decided, examples, usage};
use crate::functions::{NOT_BUILT, Parameter, Signature};

const MADE: &str = "<!-- Made by `weir docs --out query-lang/docs`; what it says stands in the code. -->\n\n";

/// The list of all functions.
pub(super) fn index() -> Page {
    let mut text = format!("{MADE}# Functions\n\n");
    text += "Calls match names without case. The first parameter of a function takes an argument without a name; all others are\n";
    text += "given as `name=value`. [GRAMMAR.md](../GRAMMAR.md) says what a query is made of.\n";
    for family in FAMILIES {
        text += &format!("\n## [{}]({}.md)\n", family.title, family.file);
        text += "| function | what it does |\n|---|---|\n";
        for signature in signatures(family) {
            let link = format!("[`{}`]({}.md#{})", signature.name, family.file, anchor(signature.name));
            text += &format!("| {link} | {} |\n", cell(signature.doc));
        }
    }
    if !NOT_BUILT.is_empty() {
        let names: Vec<String> = NOT_BUILT.iter().map(|name| format!("`{name}`")).collect();
        text += &format!("\n## Not built yet\n{}. A query that calls one is told so.\n", names.join(", "));
    }
    Page { file: "README.md".to_owned(), text }
}

/// The functions of a family.
pub(super) fn family(family: &Family) -> Page {
    let mut text = format!("{MADE}# {}\n\n{}\n", family.title, family.about);
    for signature in signatures(family) {
        text += &format!("\n{}", entry(signature));
    }
    Page { file: format!("{}.md", family.file), text }
}

fn signatures(family: &Family) -> Vec<&'static Signature> {
    let mut list: Vec<&Signature> = family.tables.iter().flat_map(|table| table.iter()).collect();
    list.sort_by_key(|signature| signature.name.to_lowercase());
    list
}

/// One function.
pub(super) fn entry(signature: &Signature) -> String {
    let mut text = format!("## {}\n`{}`\n\n{}", signature.name, usage::call(signature), signature.doc);
    text += &format!(" {}\n", usage::gives(signature));
    if !signature.aliases.is_empty() {
        let names: Vec<String> = signature.aliases.iter().map(|name| format!("`{name}`")).collect();
        text += &format!("\nAlso called {}.\n", names.join(", "));
    }
    if !signature.parameters.is_empty() {
        text += "\n| parameter | what it takes |\n|---|---|\n";
        signature.parameters.iter().for_each(|one| text += &row(one));
    }
    for note in decided::notes(signature.name) {
        text += &format!("\n{note}\n");
    }
    for example in examples().iter().filter(|example| example.function == signature.name) {
        text += &format!("\n{}", example.shown());
    }
    text
}

fn row(parameter: &Parameter) -> String {
    let mut names = format!("`{}`", parameter.name);
    for alias in parameter.aliases {
        names += &format!(", `{alias}`");
    }
    format!("| {names} | {} |\n", cell(&usage::parameter(parameter)))
}

/// Text in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The anchor that a heading has on the pages of a forge.
fn anchor(heading: &str) -> String {
    heading
        .chars()
        .filter(|letter| letter.is_alphanumeric() || *letter == '-')
        .collect::<String>()
        .to_lowercase()
}
