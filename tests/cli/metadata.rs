//! What packages say of themselves and of what is in them: licences, bill of materials, repositories; and stripping.

use std::{collections::BTreeSet, path::Path};

use fs_err as fs;
use serde_json::Value;
use vb_package::{inspect_elf, read_deb, read_package};
use vb_sandbox::{Access, Identity};

use crate::support::{TestEnv, bind, run_spec, test_output};

const MODULE: &str = "lib/python3.11/site-packages/psycopg2/_psycopg.cpython-311-x86_64-linux-gnu.so";
const FOREIGN: &str = "lib/python3.11/site-packages/yaml/_yaml.cpython-311-x86_64-linux-gnu.so";

/// Has an ELF file (64 bits, little endian) a section of static symbols?
fn has_symbol_table(bytes: &[u8]) -> bool {
    assert!(inspect_elf(bytes).unwrap().is_some());
    let number =
        |at: usize, size: usize| bytes[at..at + size].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let (start, size, count) = (number(0x28, 8), number(0x3a, 2), number(0x3c, 2));
    (0..count).any(|index| number(start + index * size + 4, 4) == 2)
}

/// Holds bills against the schema that CycloneDX has for their version, and returns what that says.
fn refusals(bills: &[&Path]) -> String {
    const SCRIPT: &str = r"
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
for path in sys.argv[1:]:
    with open(path) as file:
        error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(file.read())
    if error:
        print(error)
";
    let root = test_output("bill-checker", "bill-checker bookworm-python root interpreter");
    let environment = test_output("bill-checker", "bill-checker bookworm-python environment");
    let shown: Vec<String> = (0..bills.len()).map(|index| format!("/bills/{index}.json")).collect();
    let mut arguments = vec!["/usr/bin/python3.11", "-P", "-c", SCRIPT];
    arguments.extend(shown.iter().map(String::as_str));
    let mut spec = root.spec(&arguments, Identity::User);
    spec.env.insert("PYTHONPATH".to_owned(), "/packages".to_owned());
    let packages = environment.tree().join("lib/python3.11/site-packages");
    spec.binds = vec![bind(&packages, "/packages", Access::ReadOnly)];
    spec.binds.extend(bills.iter().zip(&shown).map(|(bill, target)| bind(bill, target, Access::ReadOnly)));
    run_spec(&spec).ok().stdout
}

#[test]
fn a_package_says_where_its_source_is_and_what_is_in_it_and_strips_only_what_was_compiled_here() {
    let (plain, env) = (TestEnv::new(), TestEnv::new());
    fs::remove_file(env.workspace().join("recipes/apps/whois/debian/copyright")).unwrap();
    env.edit(
        "recipes/workspace.ncl",
        "  prefix =",
        "  homepage = \"https://example.org/\",\n  vcs.browser = \"https://example.org/browse\",\n  prefix =",
    );
    env.edit(
        "recipes/whois.ncl",
        "  python =",
        "  vcs.git = \"https://example.org/whois.git\",\n  license = \"MIT\",\n  sbom = true,\n  strip = true,\n  python =",
    );
    env.commit();
    plain.vb(&["build", "recipes/whois.ncl"]).ok();
    let built = env.vb(&["build", "recipes/whois.ncl", "--format", "deb,rpm"]).ok().stdout;
    let expect = "dist/bookworm/vrmd-whois_1.0.0_amd64.deb\ndist/bookworm/vrmd-whois_1.0.0_amd64.deb.cdx.json\n\
                  dist/bookworm/vrmd-whois-1.0.0-1.x86_64.rpm\ndist/bookworm/vrmd-whois-1.0.0-1.x86_64.rpm.cdx.json\n";
    assert_eq!(built, expect);

    let package = env.workspace().join("dist/bookworm/vrmd-whois_1.0.0_amd64.deb");
    let metadata = read_deb(&package).unwrap();
    assert_eq!(metadata.field("Homepage"), Some("https://example.org/"));
    assert_eq!(metadata.field("Vcs-Git"), Some("https://example.org/whois.git"));
    assert_eq!(metadata.field("Vcs-Browser"), Some("https://example.org/browse"));
    let facts = read_package(&package).unwrap();
    assert!(facts.files.contains_key("/usr/share/doc/vrmd-whois/copyright"));

    let bill = env.workspace().join("dist/bookworm/vrmd-whois_1.0.0_amd64.deb.cdx.json");
    let bill: Value = serde_json::from_slice(&fs::read(bill).unwrap()).unwrap();
    let normal = |name: &str| name.to_lowercase().replace(['_', '.'], "-");
    let named: BTreeSet<String> = bill["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|component| {
            format!("{} {}", normal(component["name"].as_str().unwrap()), component["version"].as_str().unwrap())
        })
        .collect();
    let own = facts.distributions.iter();
    assert_eq!(named, own.map(|(name, version)| format!("{} {version}", normal(name))).collect());
    let attrs = bill["components"].as_array().unwrap().iter().find(|component| component["name"] == "attrs").unwrap();
    assert_eq!(attrs["licenses"][0]["expression"], "MIT");
    let [deb, rpm] = ["vrmd-whois_1.0.0_amd64.deb", "vrmd-whois-1.0.0-1.x86_64.rpm"]
        .map(|name| env.workspace().join(format!("dist/bookworm/{name}.cdx.json")));
    assert_eq!(refusals(&[&deb, &rpm]), "");
    // What is held against the schema can be refused by it.
    let broken = fs::read_to_string(&deb).unwrap().replace("\"type\": \"library\"", "\"type\": \"book\"");
    fs::write(&rpm, broken).unwrap();
    assert!(refusals(&[&deb, &rpm]).contains("'book'"), "{}", refusals(&[&deb, &rpm]));

    let tree = |env: &TestEnv| env.vb(&["output", "recipes/whois.ncl", "whois bookworm environment"]).ok().stdout;
    let [stripped, whole] = [tree(&env), tree(&plain)];
    let read = |tree: &str, path: &str| fs::read(format!("{}/{path}", tree.trim())).unwrap();
    assert!(has_symbol_table(&read(&whole, MODULE)));
    assert!(!has_symbol_table(&read(&stripped, MODULE)));
    assert!(read(&stripped, FOREIGN) == read(&whole, FOREIGN));

    let stage = env.vb(&["output", "recipes/whois.ncl", "whois bookworm package"]).ok().stdout;
    assert!(fs::read_dir(stage.trim()).unwrap().count() == 2, "{stage}");
}
