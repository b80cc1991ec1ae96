//! Several packages out of one recipe: who has which file, who needs whom, and what each command makes of them.

use serde_json::Value;
use vb_sandbox::{Access, Filter, Identity};

use crate::support::{Run, TestEnv, bind, run_spec, test_root};

const RECIPE: &str = "recipes/whois.ncl";

/// Whois in three packages: the server, the driver of its database, which it needs, and the schema, which needs nobody.
fn split() -> TestEnv {
    let env = TestEnv::new();
    let packages = r#"
  packages.whois-driver = {
    files = ["lib/python3.?1/site-packages/psycopg2*"],
    summary = "a driver of the database",
    description = "For the server alone.",
    needed = true,
  },
  packages.whois-schema = {
    files = ["whois/schema.sql", "whois/README.md"],
    needs = [],
    summary = "tables",
    config_files = [{ path = "/etc/whois/example.yml", source = "etc/whois.example.yml" }],
    services.whois-schema = { exec = ["bin/python", "--version"], restart = 'Never },
  },
  formats = ["deb", "rpm", "tar"],

  platforms = "#;
    env.edit(RECIPE, "  platforms = ", packages);
    env.write("recipes/apps/whois/debian/vrmd-whois-schema.prerm", "#!/bin/sh\nset -e\n#VB#\n# Of the schema.\n");
    env
}

fn inspect(env: &TestEnv, package: &str) -> Value {
    let run = env.vb(&["inspect", &format!("dist/bookworm/{package}"), "--json"]).ok();
    serde_json::from_str(&run.stdout).unwrap()
}

fn relations(facts: &Value) -> Vec<String> {
    let kinds = ["depends", "requires"];
    let lists = kinds.iter().filter_map(|kind| facts["relations"][kind].as_array());
    lists.flatten().map(|relation| relation.as_str().unwrap().to_owned()).collect()
}

fn has(facts: &Value, path: &str) -> bool {
    facts["files"].as_object().unwrap().keys().any(|known| known.starts_with(path))
}

#[test]
fn each_package_of_a_recipe_has_its_files_and_needs_the_others_in_its_own_version() {
    let env = split();
    let run = env.vb(&["build", RECIPE]).ok();
    let made = |end: &str| run.stdout.lines().filter(|line| line.ends_with(end)).count();
    assert_eq!([".deb", ".rpm", ".tar.zst", ".json"].map(made), [3; 4], "{}", run.stdout);
    let names = ["vrmd-whois-driver_1.0.0_amd64.deb", "vrmd-whois-schema_1.0.0_all.deb"];
    names.iter().for_each(|name| assert_eq!(made(name), 1, "{}", run.stdout));

    let site = "/vrmd/whois/lib/python3.11/site-packages";
    for (server, driver, schema, exact) in [
        (
            "vrmd-whois_1.0.0_amd64.deb",
            "vrmd-whois-driver_1.0.0_amd64.deb",
            "vrmd-whois-schema_1.0.0_all.deb",
            "vrmd-whois-driver (= 1.0.0)",
        ),
        (
            "vrmd-whois-1.0.0-1.x86_64.rpm",
            "vrmd-whois-driver-1.0.0-1.x86_64.rpm",
            "vrmd-whois-schema-1.0.0-1.noarch.rpm",
            "vrmd-whois-driver = 1.0.0-1",
        ),
        (
            "vrmd-whois_1.0.0_amd64.tar.zst",
            "vrmd-whois-driver_1.0.0_amd64.tar.zst",
            "vrmd-whois-schema_1.0.0_all.tar.zst",
            "vrmd-whois-driver (= 1.0.0)",
        ),
    ] {
        let [server, driver, schema] = [server, driver, schema].map(|name| inspect(&env, name));
        let driver_path = format!("{site}/psycopg2/");
        assert_eq!([&server, &driver, &schema].map(|facts| has(facts, &driver_path)), [false, true, false]);
        let text = "/vrmd/whois/whois/schema.sql";
        assert_eq!([&server, &driver, &schema].map(|facts| has(facts, text)), [false, false, true]);
        assert_eq!([&server, &schema].map(|facts| has(facts, "/vrmd/whois/bin/python")), [true, false]);
        assert_eq!([&server, &schema].map(|facts| has(facts, "/etc/whois/example.yml")), [false, true]);

        assert!(relations(&server).contains(&exact.to_owned()), "{server:#}");
        assert!(!relations(&schema).iter().any(|relation| relation.starts_with("vrmd-")), "{schema:#}");
        assert_eq!(driver["distributions"].as_object().unwrap().keys().collect::<Vec<_>>(), ["psycopg2"]);
        assert!(!server["distributions"].as_object().unwrap().contains_key("psycopg2"));
        assert_eq!(driver["fields"]["summary"], "a driver of the database");
        // The library of the database is needed by who has the code that needs it.
        let needs = |facts: &Value| relations(facts).iter().any(|name| name.starts_with("libpq") && name.len() > 6);
        if driver["format"] != "tar" {
            // What stands alone needs no interpreter, and looks at none.
            let first = if driver["format"] == "deb" { "preinst" } else { "pre" };
            let looks = |facts: &Value| facts["scripts"][first].to_string().contains("/usr/bin/python3.11");
            assert_eq!([&server, &driver, &schema].map(looks), [true, true, false], "{driver:#}");
            assert_eq!([&server, &driver].map(needs), [false, true], "{server:#}\n{driver:#}");
        }
    }
    let schema = inspect(&env, "vrmd-whois-schema_1.0.0_all.deb");
    let prerm = schema["scripts"]["prerm"].to_string();
    assert!(prerm.contains("# Of the schema.") && prerm.contains("whois-schema"), "{prerm}");
    assert!(has(&schema, "/usr/share/doc/vrmd-whois-schema/changelog.gz"));

    let mut spec = test_root("server").spec(&["/bin/sh", "-c", INSTALL], Identity::Root);
    spec.filter = Filter::PretendOwnership;
    spec.binds = vec![bind(&env.workspace().join("dist/bookworm"), "/dist", Access::ReadOnly)];
    let installed = run_spec(&spec).ok().stdout;
    let (_, told) = installed.split_once("== installed\n").unwrap_or_else(|| panic!("{installed}"));
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "vrmd-whois-schema: /vrmd/whois/whois/schema.sql",
            "vrmd-whois: /vrmd/whois/bin/python",
            "vrmd-whois, vrmd-whois-schema: /vrmd/whois/whois",
            "no driver, no server",
        ]
    );
}

/// The driver is missed when it is removed; an exact version is what dpkg itself insists on.
const INSTALL: &str = "set -e
dpkg --force-depends --install /dist/*.deb >/dev/null 2>&1
test -z \"$(dpkg --verify vrmd-whois vrmd-whois-driver vrmd-whois-schema)\"
echo '== installed'
dpkg --search /vrmd/whois/whois/schema.sql
dpkg --search /vrmd/whois/bin/python
dpkg --search /vrmd/whois/whois | sort
dpkg --remove vrmd-whois-driver >/dev/null 2>&1 || echo no driver, no server
";

#[test]
fn an_edit_packs_the_package_again_that_has_the_file_and_no_other_one() {
    let env = split();
    env.edit(RECIPE, "formats = [\"deb\", \"rpm\", \"tar\"]", "formats = [\"deb\", \"rpm\"]");
    env.vb(&["build", RECIPE]).ok();
    let packed = |path: &str, text: String| {
        env.write(&format!("recipes/apps/whois/{path}"), &text);
        let executed = env.vb(&["build", RECIPE]).ok().executed();
        let is_package = |label: &&String| label.starts_with("whois bookworm package");
        executed.iter().filter(is_package).map(|label| label["whois bookworm ".len()..].to_owned()).collect::<Vec<_>>()
    };
    // No other run has made packages of these bytes.
    let nonce = env.directory().file_name().unwrap().to_str().unwrap();
    let read = |path: &str| env.read(&format!("recipes/apps/whois/{path}"));
    let schema = ["package rpm whois-schema", "package whois-schema"];
    assert_eq!(packed("schema.sql", format!("{}-- {nonce}\n", read("schema.sql"))), schema);
    let why = env.vb(&["why", RECIPE, "--action", "package whois-schema"]).ok().stdout;
    assert!(why.contains("input stage") && why.contains("changed root/vrmd/whois/whois/schema.sql"), "{why}");
    // An import more is told in the report of the check.
    let module = format!("{}\nimport json  # {nonce}\n", read("whois_server/domain.py"));
    assert_eq!(packed("whois_server/domain.py", module), ["package", "package rpm"]);
    // The schema's package has a copy of what is in the main one.
    let example = format!("{}# {nonce}\n", read("etc/whois.example.yml"));
    assert_eq!(packed("etc/whois.example.yml", example), [&["package", "package rpm"], &schema[..]].concat());
    let script = "debian/vrmd-whois-schema.prerm";
    assert_eq!(packed(script, format!("{}# {nonce}\n", read(script))), schema);
    // Which commit they are made of, all of them tell.
    env.commit();
    assert_eq!(packed("schema.sql", read("schema.sql")).len(), 6);
}

#[test]
fn every_command_knows_the_labels_of_packages_and_their_shares() {
    let env = split();
    env.edit(RECIPE, "formats = [\"deb\", \"rpm\", \"tar\"]", "formats = [\"deb\"]");
    env.vb(&["build", RECIPE]).ok();
    let again = env.vb(&["build", RECIPE]).ok();
    assert_eq!(again.executed(), [""; 0], "{}", again.stderr);
    let names = |action: &str| {
        let tree = env.vb(&["output", RECIPE, action]).ok().stdout;
        let entries = fs_err::read_dir(tree.trim()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names("package whois-schema"), ["vrmd-whois-schema_1.0.0_all.deb"]);
    assert_eq!(names("share whois-schema"), ["beside", "debian", "root"]);
    env.edit("recipes/apps/whois/schema.sql", "CREATE", "-- Planned alone.\nCREATE");
    let plan = env.vb(&["plan", RECIPE]).ok().stdout;
    assert!(plan.contains("run?  whois bookworm package whois-driver  (after `whois bookworm share "), "{plan}");
}

#[test]
fn all_packages_of_a_recipe_are_published_and_none_twice() {
    let env = split();
    env.edit(RECIPE, "formats = [\"deb\", \"rpm\", \"tar\"]", "formats = [\"deb\"]");
    let text = env.read("recipes/workspace.ncl");
    let fields =
        "  repository = { path = \"repo\", keys = ['File \"key.asc\"] },\n  version = 'BuildNumber,\n} | vb.Workspace";
    env.write("recipes/workspace.ncl", &text.replace("} | vb.Workspace", fields));
    env.write(".gitignore", "/repo\n/dist\n/key.asc\n");
    env.commit();
    env.vb(&["key", "new", "key.asc", "--user", "test <test@example.org>"]).ok();
    env.vb(&["repo", "init"]).ok();
    let push = || env.vb(&["push", RECIPE]).ok().stdout;
    let added = push();
    assert!(added.ends_with("add vrmd-whois 1, vrmd-whois-driver 1, vrmd-whois-schema 1\n"), "{added}");
    let again = push();
    assert_eq!(again.matches("is published already").count(), 3, "{again}");
    let tests = env.vb(&["plan", "--tests", RECIPE]).ok().stdout;
    assert!(tests.contains("test upgrade") && !tests.contains("version before"), "{tests}");
    env.write("recipes/apps/whois/schema.sql", "-- Empty.\n");
    env.commit();
    let next = push();
    for name in ["vrmd-whois", "vrmd-whois-driver", "vrmd-whois-schema"] {
        assert!(next.contains(&format!("{name} 1 -> 2")) || next.contains(&format!("{name} 2")), "{next}");
    }
    fs_err::remove_dir_all(env.workspace().join("dist")).unwrap();
    let built: Run = env.vb(&["build", RECIPE]).ok();
    assert_eq!(built.stdout.lines().filter(|line| line.ends_with(".deb")).count(), 3, "{}", built.stdout);
}

#[test]
fn a_pattern_that_matches_nothing_and_a_file_of_two_packages_are_shown_at_their_lines() {
    let env = TestEnv::new();
    let packages = "  packages.whois-a = { files = [\"whois/*.sql\", \"bin/none*\"] },\n  \
                    packages.whois-b = { files = [\"whois/schema.sql\"] },\n\n  platforms = ";
    env.edit(RECIPE, "  platforms = ", packages);
    let line = 1 + env.read(RECIPE).lines().position(|line| line.contains("packages.whois-a")).unwrap();
    let told = |words: &str| {
        let run = env.vb(&["build", RECIPE]).expect(1);
        assert!(run.stderr.contains("error[vb::package::share]: whois bookworm "), "{}", run.stderr);
        assert!(run.stderr.contains(words), "`{words}` is not in:\n{}", run.stderr);
    };
    told(&format!(
        "  asked for at  recipes/whois.ncl:{}\n  because       `whois-a` and `whois-b` both have \
         `/vrmd/whois/whois/schema.sql`",
        line + 1
    ));
    env.edit(RECIPE, "[\"whois/schema.sql\"]", "[\"whois/README.md\"]");
    told(&format!(
        "  asked for at  recipes/whois.ncl:{line}\n  because       `vrmd/whois/bin/none*` of `whois-a` matches no file"
    ));
}

#[test]
fn the_changelog_of_git_is_in_packages_of_both_formats_and_a_commit_elsewhere_changes_nothing() {
    let env = TestEnv::new();
    fs_err::remove_file(env.workspace().join("recipes/apps/whois/debian/changelog")).unwrap();
    env.edit(RECIPE, "  platforms = ", "  version = 'Fixed \"1.1\",\n  formats = [\"deb\", \"rpm\"],\n  platforms = ");
    env.commit();
    drop(env.git(&["tag", "v1.0.0"]));
    env.edit("recipes/apps/whois/schema.sql", "CREATE", "-- Edited.\nCREATE");
    env.commit();
    env.vb(&["build", RECIPE]).ok();
    let dist = env.workspace().join("dist/bookworm");
    let deb = vb_package::read_package(&dist.join("vrmd-whois_1.1_amd64.deb")).unwrap().changelog.unwrap();
    assert!(deb.starts_with("vrmd-whois (1.1) unstable; urgency=medium\n\n  * "), "{deb}");
    assert!(deb.contains("\nvrmd-whois (1.0.0) unstable; urgency=medium\n"), "{deb}");
    let rpm = vb_package::read_rpm(&dist.join("vrmd-whois-1.1-1.x86_64.rpm")).unwrap();
    let authors: Vec<&str> = rpm.changelog.iter().map(|change| change.author.rsplit(' ').next().unwrap()).collect();
    assert_eq!(authors, ["1.1-1", "1.0.0-1"]);
    env.write("elsewhere.txt", "");
    env.commit();
    assert_eq!(env.vb(&["build", RECIPE]).ok().executed(), [""; 0]);
}
