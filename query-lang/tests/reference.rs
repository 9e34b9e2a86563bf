//! The reference: every function has a summary, a place and an example that does what it says, and the committed pages
//! are those that the code gives.
//!
//! `WEIR_BLESS=1` writes what examples give into their file, and the pages, to be read before they are committed. `weir docs
//! --out query-lang/docs` writes the pages, too.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use weir_query::compile::Options;
use weir_query::functions::{Parameter, signatures};
use weir_query::machine::{Context, Machine};
use weir_query::program::Program;
use weir_query::record::Selection;
use weir_query::reference::{Example, FAMILIES, MAX_EXAMPLE_ROWS, examples, pages};
use weir_query::result::ResultTable;
use weir_query::table::Table;

type Fields = BTreeMap<String, String>;

fn context() -> Context {
    Context {
        now_millis: 1_709_251_445_067,
        start_nanos: 0,
        // Short enough for buckets of a minute.
        end_nanos: 1_000_000_000_000,
        ..Context::default()
    }
}

fn blesses() -> bool {
    std::env::var_os("WEIR_BLESS").is_some()
}

fn fields(row: &str) -> Fields {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(row).unwrap_or_else(|error| panic!("{row}: {error}"));
    object.into_iter().map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned())).collect()
}

fn run(program: &Arc<Program>, table: &ResultTable) -> ResultTable {
    let mut machine = Machine::new(Arc::clone(program), context());
    let created = machine.created();
    let table = created.as_ref().unwrap_or(table);
    let mut state = machine.new_state();
    machine.step(table, Selection::all(table.rows), &mut state).unwrap();
    machine.finish(&state).unwrap()
}

/// What an example gives, as JSON objects.
fn results(example: &Example) -> Vec<String> {
    let mut options = Options::default();
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for (name, line) in &example.lines {
        *files.entry(name).or_default() += &format!("{line}\n");
    }
    for (name, text) in files {
        Arc::make_mut(&mut options.tables)
            .insert(name.to_owned(), Arc::new(Table::read(name, text.as_bytes()).unwrap()));
    }
    let rows: Vec<Fields> = example.rows.iter().map(|row| fields(row)).collect();
    let table =
        ResultTable::of_events(&rows.into_iter().map(|row| row.into_iter().collect()).collect::<Vec<_>>());
    let program = Program::compile(example.query, &options)
        .unwrap_or_else(|faults| panic!("{}: {}", example.function, faults.render(example.query, false)));
    let mut tables = Vec::new();
    for (number, query) in program.queries().iter().enumerate() {
        let inner = program.query(number, &tables, &|| false).unwrap().unwrap();
        tables.push(Arc::new(Table::of_result(query, run(&inner, &table)).unwrap()));
    }
    let program = program.with_tables(&tables, Vec::new(), &|| false).unwrap();
    let result = run(&program, &table);
    let row = |at: usize| {
        let cells = result
            .columns
            .iter()
            .filter_map(|(name, _)| Some((name.to_string(), result.text(at, name)?.into_owned())));
        let object: serde_json::Map<String, serde_json::Value> =
            cells.map(|(name, text)| (name, text.into())).collect();
        serde_json::Value::Object(object).to_string()
    };
    (0..result.rows).map(row).collect()
}

#[test]
fn every_function_has_a_summary_and_a_place() {
    for signature in signatures() {
        let name = signature.name;
        let doc = signature.doc;
        assert!(
            !doc.trim().is_empty(),
            "`{name}` has no summary: write one line into `doc` of its signature"
        );
        assert!(
            doc.ends_with('.') && !doc.contains('\n'),
            "the summary of `{name}` is no single sentence: {doc}"
        );
        let families = FAMILIES
            .iter()
            .filter(|family| family.tables.iter().any(|table| table.iter().any(|known| known.name == name)));
        assert_eq!(
            families.count(),
            1,
            "`{name}` stands on no page: put its family into FAMILIES in query-lang/src/reference/mod.rs"
        );
        let wrong = |one: &Parameter| one.required && one.default.is_some();
        assert!(!signature.parameters.iter().any(wrong), "`{name}` has a required parameter with a default");
    }
}

#[test]
fn every_function_has_an_example_that_does_what_it_says() {
    for signature in signatures() {
        // When a standing query gives its results out is nothing that a table shows.
        let shown = examples().iter().any(|example| example.function == signature.name);
        assert!(
            shown || signature.name == "emit",
            "`{}` has no example: write one into query-lang/src/reference/examples.txt",
            signature.name
        );
    }
    let (mut blessed, mut differences) = (String::new(), Vec::new());
    let mut function = "";
    for example in examples() {
        assert!(
            weir_query::functions::find(example.function).is_some(),
            "there is no `{}`",
            example.function
        );
        let found = results(example);
        assert!(found.len() <= MAX_EXAMPLE_ROWS && example.rows.len() <= MAX_EXAMPLE_ROWS);
        if example.function != function {
            function = example.function;
            blessed += &format!("# {function}\n");
        }
        blessed += &format!("> {}\n", example.query);
        example.lines.iter().for_each(|(name, line)| blessed += &format!("{name}: {line}\n"));
        example.rows.iter().for_each(|row| blessed += &format!("{row}\n"));
        found.iter().for_each(|row| blessed += &format!("= {row}\n"));
        if example.results != found {
            differences.push((example.query, found));
        }
    }
    if blesses() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/reference/examples.txt");
        std::fs::write(path, blessed).unwrap();
    } else {
        assert!(differences.is_empty(), "{differences:#?}");
    }
}

#[test]
fn committed_pages_are_those_that_the_code_gives() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs"));
    let made = pages();
    for page in &made {
        if blesses() {
            std::fs::write(folder.join(&page.file), &page.text).unwrap();
        }
        let committed = std::fs::read_to_string(folder.join(&page.file)).unwrap_or_default();
        assert!(committed == page.text, "docs/{} is old: run `weir docs --out query-lang/docs`", page.file);
    }
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(made.iter().any(|page| page.file == name), "docs/{name} is no page of the reference");
    }
}
