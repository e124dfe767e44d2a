//! Documents that name tests name tests that exist, and tables say how many rows they have.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).expect("the workspace").to_owned()
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !matches!(&*name, "target" | "node_modules" | ".git") {
                files(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

/// Names of all functions of the workspace.
fn functions() -> BTreeSet<String> {
    let mut sources = Vec::new();
    for folder in ["crates", "services", "e2e"] {
        files(&workspace().join(folder), ".rs", &mut sources);
    }
    let mut names = BTreeSet::new();
    for source in sources {
        let text = std::fs::read_to_string(source).expect("a source file");
        for line in text.lines() {
            if let Some((_, rest)) = line.split_once("fn ") {
                let name = rest.split(|one: char| !one.is_alphanumeric() && one != '_');
                names.extend(name.take(1).map(str::to_owned));
            }
        }
    }
    names
}

/// What stands between backticks and can only be a test's name: words joined by underscores, four at least. An ellipsis
/// stands for the rest.
fn named(text: &str) -> impl Iterator<Item = (&str, bool)> {
    text.split('`').skip(1).step_by(2).filter_map(|quoted| {
        let name = quoted.rsplit("::").next().unwrap_or_default();
        let (name, whole) = match name.strip_suffix("...") {
            Some(begin) => (begin, false),
            None => (name, true),
        };
        let plain = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_';
        let words = name.split('_').filter(|word| !word.is_empty()).count();
        let looks = name.chars().all(plain) && (words >= 4 || !whole && words >= 2);
        looks.then_some((name, whole))
    })
}

#[test]
fn every_test_that_a_document_about_security_names_exists() {
    let functions = functions();
    let mut documents = vec![
        workspace().join("docs/asvs.md"),
        workspace().join("docs/security.md"),
        workspace().join("docs/logging.md"),
    ];
    files(
        &workspace().join("docs/threat-models"),
        ".md",
        &mut documents,
    );
    let (mut checked, mut missing) = (0, Vec::new());
    for document in documents {
        let text = std::fs::read_to_string(&document).expect("a document");
        for (name, whole) in named(&text) {
            checked += 1;
            let exists = match whole {
                true => functions.contains(name),
                false => functions.iter().any(|function| function.starts_with(name)),
            };
            if !exists {
                missing.push(format!("{}: {name}", document.display()));
            }
        }
    }
    assert!(checked > 150, "only {checked} names were looked at");
    assert!(missing.is_empty(), "no such test:\n{}", missing.join("\n"));
}

#[test]
fn the_table_of_asvs_requirements_is_counted_right() {
    let text = std::fs::read_to_string(workspace().join("docs/asvs.md")).expect("asvs.md");
    for (level, rest) in [("1", "## Level 1"), ("2", "## Level 2")] {
        let section = text.split(rest).nth(1).expect("the level's section");
        let section = section.split("## ").next().unwrap_or_default();
        let (mut met, mut not, mut without) = (0, 0, 0);
        for line in section.lines().filter(|line| line.starts_with("| ")) {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let (number, state) = (
                cells.next().unwrap_or_default(),
                cells.next().unwrap_or_default(),
            );
            // One row stands for a range of 22.
            let count = if number.contains(" to ") { 22 } else { 1 };
            match state {
                "yes" => met += count,
                "no" | "partly" => not += count,
                "-" => without += count,
                _ => {}
            }
        }
        let row = format!(
            "| level {level} | {} | {met} | {not} | {without} |",
            met + not + without
        );
        assert!(text.contains(&row), "the first table should say: {row}");
    }
}
