//! The crates and the edges between them, against the code map of ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};

use fs_err as fs;

use crate::tree::{assert_none, read, root};

/// Crates that only some crate may use, by the name in Cargo.toml.
const RESERVED: [(&str, &[&str]); 10] = [
    ("anstream", &["vb"]),
    ("anyhow", &[]),
    ("clap", &["vb", "vb-bench"]),
    ("ctrlc", &["vb"]),
    ("indicatif", &["vb"]),
    ("libc", &["vb-sandbox"]),
    ("nickel-lang-core", &["vb-recipe"]),
    ("nix", &["vb-sandbox"]),
    ("pgp", &["vb-platform", "vb-repo", "vb-testkit"]),
    ("ureq", &["vb-fetch"]),
];

/// Everything that the pure crate may use.
const PURE: [&str; 4] = ["blake3", "hex", "serde", "thiserror"];

/// The last column of the code map: what a crate may use, `None` for anything.
type Edges = BTreeMap<String, Option<BTreeSet<String>>>;

/// Reads the code map: rows with a crate, a sentence, and the crates that it may use.
fn code_map(text: &str) -> Edges {
    let mut edges = Edges::new();
    for line in text.lines().filter(|line| line.starts_with("| `vb")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, _, uses] = cells.as_slice() else { continue };
        let uses = match *uses {
            "–" => Some(BTreeSet::new()),
            "as needed" => None,
            list => Some(list.split(", ").map(|name| format!("vb-{name}")).collect()),
        };
        edges.insert(name.trim_matches('`').to_owned(), uses);
    }
    edges
}

fn manifests() -> BTreeMap<String, toml::Table> {
    let entries = fs::read_dir(root().join("crates")).unwrap();
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(path.join("Cargo.toml")).unwrap();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), toml::from_str(&text).unwrap())
        })
        .collect()
}

/// Returns the names in all tables of dependencies that count for what is shipped.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let of = |table: &toml::Table| -> Vec<String> {
        let kinds = ["dependencies", "build-dependencies"];
        let tables = kinds.iter().filter_map(|kind| table.get(*kind)?.as_table());
        tables.flat_map(|table| table.keys().cloned().collect::<Vec<_>>()).collect()
    };
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
    of(manifest).into_iter().chain(targets.filter_map(toml::Value::as_table).flat_map(of)).collect()
}

fn edge_violations(edges: &Edges, manifests: &BTreeMap<String, toml::Table>) -> Vec<String> {
    let mut violations = Vec::new();
    for (name, manifest) in manifests {
        let Some(allowed) = edges.get(name) else {
            violations.push(format!("`{name}` is not in the code map"));
            continue;
        };
        let used = dependencies(manifest);
        let own = used.iter().filter(|used| *used == "vb" || used.starts_with("vb-"));
        for used in own.filter(|used| allowed.as_ref().is_some_and(|allowed| !allowed.contains(*used))) {
            violations.push(format!("`{name}` uses `{used}`"));
        }
    }
    violations
}

#[test]
fn crates_use_only_those_that_the_code_map_allows() {
    let edges = code_map(&read("ARCHITECTURE.md"));
    assert_none("edges between crates", &edge_violations(&edges, &manifests()));
}

#[test]
fn the_code_map_names_no_crate_that_is_not_there() {
    let manifests = manifests();
    let edges = code_map(&read("ARCHITECTURE.md"));
    let used = edges.values().flatten().flatten();
    let unknown: Vec<String> =
        edges.keys().chain(used).filter(|name| !manifests.contains_key(*name)).cloned().collect();
    assert_none("crates of the code map", &unknown);
}

#[test]
fn an_edge_that_is_not_in_the_code_map_is_found() {
    let edges = code_map("| `vb-a` | One. | – |\n| `vb-b` | Two. | a |\n| `vb-kit` | Three. | as needed |\n");
    let manifest = |text: &str| toml::from_str::<toml::Table>(text).unwrap();
    let with = |manifests: [(&str, &str); 3]| {
        let manifests = manifests.map(|(name, text)| (name.to_owned(), manifest(text))).into();
        edge_violations(&edges, &manifests)
    };
    let b = "[dependencies]\nvb-a = '1'\nserde = '1'\n[dev-dependencies]\nvb-kit = '1'";
    let kit = "[dependencies]\nvb-b = '1'";
    assert!(with([("vb-a", ""), ("vb-b", b), ("vb-kit", kit)]).is_empty());
    assert_eq!(with([("vb-a", "[dependencies]\nvb-b = '1'"), ("vb-b", b), ("vb-kit", kit)]), ["`vb-a` uses `vb-b`"]);
    let hidden = "[target.'cfg(unix)'.build-dependencies]\nvb-kit = '1'";
    assert_eq!(with([("vb-a", hidden), ("vb-b", b), ("vb-kit", kit)]), ["`vb-a` uses `vb-kit`"]);
    assert_eq!(with([("vb-c", ""), ("vb-b", b), ("vb-kit", kit)]), ["`vb-c` is not in the code map"]);
}

#[test]
fn some_libraries_are_used_by_one_crate_alone() {
    let mut violations = Vec::new();
    for (name, manifest) in manifests() {
        let used = dependencies(&manifest);
        let wrong =
            RESERVED.iter().filter(|(reserved, users)| used.contains(*reserved) && !users.contains(&name.as_str()));
        violations.extend(wrong.map(|(reserved, _)| format!("`{name}` uses `{reserved}`")));
    }
    assert_none("libraries that belong to one crate", &violations);
}

#[test]
fn what_is_hashed_depends_on_no_crate_that_could_do_anything_else() {
    let used = dependencies(&manifests()["vb-graph"]);
    let foreign: Vec<String> = used.into_iter().filter(|name| !PURE.contains(&name.as_str())).collect();
    assert_none("dependencies of `vb-graph`", &foreign);
}

#[test]
fn every_crate_takes_versions_and_lints_from_the_workspace() {
    let mut violations = Vec::new();
    for (name, manifest) in manifests() {
        if manifest.get("lints").and_then(|lints| lints.get("workspace")) != Some(&toml::Value::Boolean(true)) {
            violations.push(format!("`{name}` does not have the workspace's lints"));
        }
        let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
        for table in kinds.iter().filter_map(|kind| manifest.get(*kind)?.as_table()) {
            let own = table.iter().filter(|(_, value)| value.get("workspace") != Some(&toml::Value::Boolean(true)));
            violations
                .extend(own.map(|(dependency, _)| format!("`{name}` has a version of its own of `{dependency}`")));
        }
    }
    assert_none("what the workspace decides", &violations);
}

#[test]
fn the_first_command_of_the_readme_runs_vb() {
    assert!(read("README.md").contains("cargo run --release -- build"));
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    let default = manifest["workspace"]["default-members"].as_array().unwrap();
    assert_eq!(default.iter().map(|member| member.as_str().unwrap()).collect::<Vec<_>>(), ["crates/vb"]);
    assert!(!root().join("crates/vb/src/bin").exists(), "cargo run has to choose between two programs");
}
