//! The walls of the house, enforced: who may import whom, module docs, no orphan files, no forbidden words.
//!
//! The rules are the table in `ARCHITECTURE.md`. Everything here reads the sources as text.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A wall: files under `inside` never contain any of `never`.
struct Wall {
    inside: &'static str,
    never: &'static [&'static str],
    why: &'static str,
}

const WALLS: &[Wall] = &[
    Wall {
        inside: "query-lang/src",
        never: &[
            "weir_engine",
            "weir_server",
            "std::fs",
            "std::net::Tcp",
            "std::net::Udp",
            "ToSocketAddrs",
            "std::thread",
            "std::time::SystemTime",
            "std::time::Instant",
            "Timestamp::now(",
            "Zoned::now(",
            "tokio",
            "axum",
            "serde::",
        ],
        why: "the language does no I/O, reads no clock, starts no thread, serializes nothing",
    },
    Wall {
        inside: "engine/src",
        never: &["weir_server", "tokio", "axum", "hyper", "serde::"],
        why: "the engine has no async runtime, no HTTP and no wire format",
    },
    Wall {
        inside: "engine/src/live",
        never: &["crate::store"],
        why: "live and store are joined by the pipeline alone; live reads history through scan",
    },
    Wall {
        inside: "engine/src/store",
        never: &[
            "crate::live",
            "crate::scan",
            "crate::pipeline",
            "weir_query::program",
            "weir_query::machine",
            "weir_query::ast",
        ],
        why: "the store knows of the language only rows and required conditions",
    },
    Wall {
        inside: "engine/src/index",
        never: &["crate::live", "crate::scan", "crate::pipeline"],
        why: "the index only prunes",
    },
    Wall {
        inside: "engine/src/scan",
        never: &["store::log", "store::head", "store::catalog", "crate::pipeline"],
        why: "a scan sees a snapshot, never the writer",
    },
    Wall {
        inside: "query-lang/src/compile",
        never: &["crate::ast", "crate::parser"],
        why: "compile sees the plan, never the tree",
    },
    Wall {
        inside: "query-lang/src/machine",
        never: &["crate::ast", "crate::plan"],
        why: "the machine sees programs only",
    },
    Wall {
        inside: "server/src/decode",
        never: &["axum", "hyper::", "tokio"],
        why: "decode knows bytes, not HTTP",
    },
    Wall {
        inside: "server/src/encode",
        never: &["axum", "hyper::", "tokio"],
        why: "encode knows tables, not HTTP",
    },
    Wall {
        inside: "server/src/package",
        never: &["axum", "hyper::", "tokio", "fs::write", "File::create"],
        why: "a package is bytes in memory: it knows no HTTP, and writes nothing",
    },
];

/// Names that say nothing: no file is called so.
const EMPTY_NAMES: &[&str] =
    &["manager", "helper", "helpers", "util", "utils", "misc", "common", "process", "processor"];

/// No source file has more lines than this, blank lines, comments and its own tests not counted.
const MAX_CODE_LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(under: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![root().join(under)];
    while let Some(folder) = left.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                left.push(entry);
            } else if entry.extension().is_some_and(|end| end == "rs") {
                found.push(entry);
            }
        }
    }
    found.sort();
    found
}

/// The file's code: comments cut, and everything from its test module on (tests may reach over walls).
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let upto = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    let lines = text[..upto].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether the file is a test module by itself: tests may reach over walls.
fn is_test(path: &Path) -> bool {
    path.ends_with("tests.rs") || path.parent().is_some_and(|folder| folder.ends_with("tests"))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn no_wall_is_crossed() {
    let mut crossed = Vec::new();
    for wall in WALLS {
        for path in sources(wall.inside).into_iter().filter(|path| !is_test(path)) {
            let code = code(&path);
            for word in wall.never.iter().filter(|word| code.contains(**word)) {
                crossed.push(format!("{} names `{word}`: {}", shown(&path), wall.why));
            }
        }
    }
    assert!(crossed.is_empty(), "{}", crossed.join("\n"));
}

#[test]
fn crates_depend_one_way() {
    for (name, never) in
        [("query-lang", ["weir-engine", "weir-server"]), ("engine", ["weir-server", "weir-bench"])]
    {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        for word in never {
            assert!(!manifest.contains(word), "{name} depends on {word}");
        }
    }
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<String> = ["query-lang/src", "engine/src", "server/src", "benches/src"]
        .iter()
        .flat_map(|folder| sources(folder))
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!"))
        .map(|path| shown(&path))
        .collect();
    assert!(silent.is_empty(), "without a module doc: {silent:#?}");
}

#[test]
fn every_file_has_an_owner() {
    let mut orphans = Vec::new();
    for folder in ["query-lang/src", "engine/src", "server/src", "benches/src"] {
        for path in sources(folder) {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            let parent = path.parent().unwrap();
            if ["lib", "main"].contains(&stem.as_str()) {
                continue;
            }
            let (owner_of, module) = if stem == "mod" {
                (parent.parent().unwrap(), parent.file_name().unwrap().to_string_lossy().into_owned())
            } else {
                (parent, stem)
            };
            let folder_name = owner_of.file_name().unwrap().to_string_lossy().into_owned();
            let owners = [
                owner_of.join("mod.rs"),
                owner_of.join("lib.rs"),
                owner_of.join("main.rs"),
                owner_of.parent().unwrap().join(format!("{folder_name}.rs")),
            ];
            let declared = owners.iter().filter_map(|owner| fs::read_to_string(owner).ok()).any(|text| {
                text.lines().any(|line| {
                    let line = line.trim();
                    line.ends_with(&format!("mod {module};")) && !line.starts_with("//")
                })
            });
            if !declared {
                orphans.push(shown(&path));
            }
        }
    }
    assert!(orphans.is_empty(), "declared nowhere: {orphans:#?}");
}

#[test]
fn files_are_rooms_for_one_noun() {
    let mut faults = Vec::new();
    for folder in ["query-lang/src", "engine/src", "server/src", "benches/src"] {
        for path in sources(folder) {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            if EMPTY_NAMES.contains(&stem.as_str()) {
                faults.push(format!("{}: an empty name", shown(&path)));
            }
            let lines = code(&path).lines().filter(|line| !line.trim().is_empty()).count();
            if lines > MAX_CODE_LINES {
                faults.push(format!("{}: {lines} lines of code", shown(&path)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn unsafe_stands_where_it_is_argued() {
    let allowed: BTreeSet<&str> = ["engine/src/store/files/map.rs"].into();
    for folder in ["query-lang/src", "engine/src", "server/src", "benches/src"] {
        for path in sources(folder) {
            let name = shown(&path).replace("server/../", "");
            let code = code(&path);
            let says =
                code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl");
            assert!(!says || allowed.iter().any(|path| name.ends_with(path)), "unsafe in {name}");
        }
    }
}

#[test]
fn top_level_holds_what_it_should() {
    let expected: BTreeSet<&str> = [
        "Cargo.toml",
        "Cargo.lock",
        "engine",
        "server",
        "query-lang",
        "benches",
        "fuzz",
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "target",
    ]
    .into();
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(
            name.starts_with('.') || expected.contains(name.as_str()),
            "`{name}` does not belong at the top"
        );
    }
}
