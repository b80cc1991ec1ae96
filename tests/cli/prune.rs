//! What is left out: of the environment by `prune`, and of the import check by `import_check.skip`.

use std::path::Path;

use fs_err as fs;

use crate::support::TestEnv;

const RECIPE: &str = "recipes/whois.ncl";

#[test]
fn pruned_files_are_neither_in_the_environment_nor_in_its_records_and_a_skipped_import_is_not_tried() {
    let env = TestEnv::new();
    let module = "recipes/apps/whois/whois_server/driver.py";
    env.write(module, "import absent_driver.fast\n");
    let fields = "  prune = [\"pip\", \"tests\", \"twisted/words\", \"**/*.pyi\"],\n  platforms = ";
    env.edit(RECIPE, "  platforms = ", fields);
    let failed = env.vb(&["build", RECIPE]).expect(1);
    assert!(failed.stderr.contains("`absent_driver.fast` cannot be imported"), "{}", failed.stderr);
    let skip = "  import_check.skip = [{ module = \"absent_driver\", reason = \"only there is the hardware\" }],\n  platforms = ";
    env.edit(RECIPE, "  platforms = ", skip);
    env.vb(&["build", RECIPE]).ok();

    let tree = env.vb(&["output", RECIPE, "environment"]).ok().stdout;
    let site = Path::new(tree.trim()).join("lib/python3.11/site-packages");
    for (path, is_there) in [
        ("twisted/internet/reactor.py", true),
        ("twisted/words", false),
        ("twisted/test", false),
        ("twisted/internet/test", false),
        ("typing_extensions.py", true),
    ] {
        assert_eq!(site.join(path).exists(), is_there, "{path}");
    }
    let mut rows = 0;
    for entry in fs::read_dir(&site).unwrap().map(|entry| entry.unwrap().path().join("RECORD")) {
        let Ok(record) = fs::read_to_string(&entry) else { continue };
        for line in record.lines() {
            let path = line.split(",sha256=").next().unwrap().trim_end_matches(',');
            assert!(site.join(path).exists(), "{path} of {}", entry.display());
            rows += 1;
        }
    }
    assert!(rows > 500, "{rows}");
}

#[test]
fn a_distribution_that_is_not_locked_cannot_be_pruned() {
    let env = TestEnv::new();
    env.edit(RECIPE, "  platforms = ", "  prune = [\"twist\"],\n  platforms = ");
    let run = env.vb(&["plan", RECIPE]).expect(3);
    for text in ["vb::recipe::unknown_pruned", "recipes/whois.ncl:", "did you mean `twisted`?"] {
        assert!(run.stderr.contains(text), "{text}: {}", run.stderr);
    }
    env.edit(RECIPE, "\"twist\"", "\"Typing.Extensions\", \"setuptools\"");
    let plan = env.vb(&["plan", RECIPE]).ok().stdout;
    assert!(!plan.contains("unpack typing-extensions") && plan.contains("unpack twisted"), "{plan}");
}
