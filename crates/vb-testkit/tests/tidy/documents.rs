//! Documents and project files against the code, and what no file of the repository may name.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{TextFile, assert_none, read, root, rust_files, text_files};

const ERRORS: &str = "docs/errors.md";

/// Returns the diagnostic codes that a text names.
fn codes(text: &str) -> BTreeSet<String> {
    let is_code = |char: char| char.is_ascii_lowercase() || char == '_' || char == ':';
    text.match_indices("vb::")
        .filter(|(start, _)| !text[..*start].ends_with(|char: char| char.is_alphanumeric() || "_-:".contains(char)))
        .map(|(start, _)| text[start..].split(|char| !is_code(char)).next().unwrap_or_default())
        .map(|code| code.trim_end_matches(':').to_owned())
        .filter(|code| code != "vb")
        .collect()
}

fn codes_of_sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for file in rust_files().into_iter().filter(TextFile::is_shipped) {
        let lines = file.text.lines().filter(|line| !line.trim_start().starts_with("use "));
        for code in lines.flat_map(codes) {
            found.insert(code, file.path.clone());
        }
    }
    assert!(found.len() > 20, "the search for codes finds next to nothing");
    found
}

/// Returns the codes that have a row of their own.
fn documented_codes() -> BTreeSet<String> {
    let text = read(ERRORS);
    text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).flat_map(codes).collect()
}

#[test]
fn every_diagnostic_code_is_documented() {
    let documented = documented_codes();
    let missing = codes_of_sources().into_iter().filter(|(code, _)| !documented.contains(code));
    let missing: Vec<String> = missing.map(|(code, path)| format!("{code} of {path}")).collect();
    assert_none("codes that docs/errors.md does not have", &missing);
}

#[test]
fn every_documented_code_can_occur() {
    let known = codes_of_sources();
    let stale: Vec<String> = documented_codes().into_iter().filter(|code| !known.contains_key(code)).collect();
    assert_none("codes that only docs/errors.md has", &stale);
}

#[test]
fn codes_are_told_from_paths_and_prose() {
    assert_eq!(
        codes("x \"vb::recipe::syntax\", code(vb::lock::missing))"),
        expected(&["vb::lock::missing", "vb::recipe::syntax"])
    );
    assert_eq!(codes("`vb::interrupted`: vb::"), expected(&["vb::interrupted"]));
    assert_eq!(codes("my_vb::path x::vb::path"), expected(&[]));
}

fn expected(codes: &[&str]) -> BTreeSet<String> {
    codes.iter().map(|code| (*code).to_owned()).collect()
}

/// Returns the fields of the contracts, as `vb.ncl` declares them.
fn contract_fields(text: &str) -> BTreeSet<String> {
    let field = |line: &str| {
        let name = line.strip_prefix("    ")?.split(" |").next()?;
        let is_name = !name.is_empty() && name.chars().all(|char| char.is_ascii_lowercase() || char == '_');
        (is_name && line.contains(" | ")).then(|| name.to_owned())
    };
    text.lines().filter_map(field).collect()
}

#[test]
fn every_field_of_the_contracts_is_documented() {
    let fields = contract_fields(&read("crates/vb-recipe/src/vb.ncl"));
    assert!(fields.len() > 30, "the search for fields finds next to nothing: {fields:?}");
    let text = read("docs/recipe.md") + &read("docs/services.md");
    let rows: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let missing: Vec<String> = fields.into_iter().filter(|field| !rows.contains(field.as_str())).collect();
    assert_none("fields that neither docs/recipe.md nor docs/services.md has", &missing);
}

/// Returns the targets of a document's links, without those that leave the repository.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let paths = targets.map(|target| target.split('#').next().unwrap_or_default());
    paths.filter(|path| !path.is_empty() && !path.contains("://")).collect()
}

#[test]
fn every_link_leads_to_a_file() {
    let mut broken = Vec::new();
    for file in text_files().into_iter().filter(|file| file.path.ends_with(".md")) {
        let directory = root().join(&file.path).parent().unwrap().to_owned();
        let wrong = links(&file.text).into_iter().filter(|link| !directory.join(link).exists());
        broken.extend(wrong.map(|link| format!("{}: {link}", file.path)));
    }
    assert_none("links that lead nowhere", &broken);
}

#[test]
fn a_link_is_found_in_the_middle_of_a_line() {
    assert_eq!(links("see [a](b/c.md#d), [e](#f) and [g](https://example.org/h)"), ["b/c.md"]);
}

#[test]
fn continuous_integration_runs_the_commands_that_the_documents_give() {
    let script = read(".ci/run");
    for command in
        ["cargo test --workspace", "cargo clippy --workspace --all-targets -- -D warnings", "cargo fmt --check"]
    {
        assert!(script.contains(command), "`.ci/run` does not run `{command}`");
        assert!(read("CONTRIBUTING.md").contains(command), "`CONTRIBUTING.md` does not name `{command}`");
    }
    for command in ["cargo run --release -- build recipes/whois.ncl", "cargo test --workspace"] {
        assert!(read("README.md").contains(command), "`README.md` does not name `{command}`");
    }
}

/// Hosts of registries, in pieces, so that this file does not name them.
fn registry_hosts() -> Vec<String> {
    let hosts: [&[&str]; 14] = [
        &["crates", ".io"],
        &["docs", ".rs/"],
        &["pypi", ".org"],
        &["python", "hosted", ".org"],
        &["deb.", "debian.org"],
        &["ftp.", "debian.org"],
        &["security.", "debian.org"],
        &["snapshot.", "debian.org"],
        &["archive.", "ubuntu.com"],
        &["proxy.", "golang.org"],
        &["registry.", "npmjs.org"],
        &["ana", "conda.org"],
        &["ruby", "gems.org"],
        &["cache.", "nixos.org"],
    ];
    hosts.iter().map(|pieces| pieces.concat()).collect()
}

#[test]
fn no_file_names_the_host_of_a_registry() {
    let hosts = registry_hosts();
    let mut wrong = Vec::new();
    // Cargo writes the name of its registry into its lock; nobody here does.
    for file in text_files().into_iter().filter(|file| file.path != "Cargo.lock") {
        wrong
            .extend(hosts.iter().filter(|host| file.text.contains(*host)).map(|host| format!("{}: {host}", file.path)));
    }
    assert_none("hosts of registries", &wrong);
}

#[test]
fn no_file_names_a_directory_of_the_machine_it_was_written_on() {
    let root = format!("{}/", root().display());
    let targets = ["/tmp/", "target-"].concat();
    let mut wrong = Vec::new();
    for file in text_files() {
        let found = [&root, &targets].into_iter().filter(|path| path.len() > 4 && file.text.contains(*path));
        wrong.extend(found.map(|path| format!("{}: {path}", file.path)));
    }
    assert_none("paths of a machine", &wrong);
}

#[test]
fn locks_name_no_host() {
    let locks: Vec<TextFile> = text_files()
        .into_iter()
        .filter(|file| file.path.contains("recipes/") && file.path.ends_with(".lock"))
        .collect();
    assert!(!locks.is_empty());
    let wrong = locks.into_iter().filter(|lock| lock.text.contains("://")).map(|lock| lock.path);
    assert_none("locks with an address", &wrong.collect::<Vec<_>>());
}

/// Returns the names of the variants of an enum of commands, as they are typed.
fn commands(text: &str, name: &str) -> Vec<String> {
    let body = text.split(&format!("enum {name} {{")).nth(1).and_then(|rest| rest.split("\n}").next());
    let variant = |line: &str| {
        let word = line.strip_prefix("    ")?.split(|char: char| !char.is_ascii_alphanumeric()).next()?;
        word.starts_with(|char: char| char.is_ascii_uppercase()).then(|| word.to_lowercase())
    };
    body.unwrap_or_default().lines().filter_map(variant).collect()
}

#[test]
fn every_command_is_documented() {
    let readme = read("README.md");
    let commands = commands(&read("crates/vb/src/arguments.rs"), "Command");
    assert!(commands.len() > 5, "the search for commands finds next to nothing: {commands:?}");
    let is_missing = |command: &String| !readme.contains(&format!("| `vb {command}"));
    assert_none("commands that README.md does not have", &commands.into_iter().filter(is_missing).collect::<Vec<_>>());
}
