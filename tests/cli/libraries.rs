//! The shared libraries of compiled code: missing ones are told before anything runs, the others become dependencies.

use std::{collections::BTreeSet, path::Path};

use expect_test::expect;
use fs_err as fs;
use vb_package::read_deb;
use vb_sandbox::{HostPath, Identity, Root};

use crate::support::{Mirror, Run, TestEnv, redact, run_spec, test_root};

/// Prints what the real program makes of all compiled code of an application, with the packages of the run root alone.
const ORACLE: &str = "mkdir -p /tmp/x/debian && cd /tmp/x && echo 'Source: x' > debian/control \
                      && echo 'Package: x' >> debian/control && find /vrmd -name '*.so*' -type f > /tmp/found \
                      && dpkg-shlibdeps -O --warnings=0 $(cat /tmp/found)";

fn failure(env: &TestEnv, run: &Run) -> String {
    let (_, told) = run.stderr.split_once("\nerror[").unwrap_or_else(|| panic!("{}", run.stderr));
    let told: Vec<&str> = told.lines().collect();
    redact(env, &format!("error[{}\n", told[..told.len() - 1].join("\n")))
}

#[test]
fn a_library_that_no_run_dependency_has_is_told_before_anything_runs_with_the_package_that_has_it() {
    let (env, mirror) = (TestEnv::new(), Mirror::of_whois());
    mirror.use_in(&env);
    env.edit("recipes/whois.ncl", "[\"adduser\", \"libpq5\", \"runit\"]", "[\"adduser\", \"runit\"]");
    env.vb(&["lock", "recipes/whois.ncl"]).ok();
    let run = env.vb(&["build", "recipes/whois.ncl"]).expect(1);
    assert_eq!(run.stdout, "");
    expect![[r#"
        error[vb::libraries::missing]: whois bookworm libraries failed: a shared library is neither in the package nor in what it depends on
          asked for at  recipes/whois.ncl:19
          `libpq.so.5` is needed by `/vrmd/whois/lib/python3.11/site-packages/psycopg2/_psycopg.cpython-311-x86_64-linux-gnu.so` of `psycopg2 2.9.13`
          help          add "libpq5" to run_deps (it has libpq.so.5), then run `vb lock`
    "#]].assert_eq(&failure(&env, &run));

    // Where nothing else is known of the library, the import is what fails.
    env.edit("recipes/whois.ncl", "  run_deps_auto = true,", "  missing_libraries = [\"libpq.so.5\"],");
    let run = env.vb(&["build", "recipes/whois.ncl"]).expect(1);
    expect![[r#"
        error[vb::import_check::failed]: whois bookworm import check failed: 2 of the application's imports cannot succeed with the run dependencies alone
          asked for at  recipes/whois.ncl:19
          `psycopg2` cannot be imported: the shared library `libpq.so.5` is missing (needed by `whois_server/config.py:10`, `whois_server/database.py:6`)
          `psycopg2.extensions` cannot be imported: the shared library `libpq.so.5` is missing (needed by `whois_server/config.py:11`, `whois_server/database.py:7`)
          help          add "libpq5" to run_deps (it has libpq.so.5), then run `vb lock`
    "#]].assert_eq(&failure(&env, &run));
}

#[test]
fn dependencies_are_those_that_dpkg_shlibdeps_finds() {
    let env = TestEnv::new();
    env.vb(&["build", "recipes/whois.ncl"]).ok();
    let tree = |action: &str| env.vb(&["output", "recipes/whois.ncl", action]).ok().stdout.trim().to_owned();
    let (stage, run) = (tree("whois bookworm stage"), tree("whois bookworm root run"));
    let mut spec = test_root("lintian").spec(&["/bin/sh", "-c", ORACLE], Identity::User);
    let Root::Layers { lowers, .. } = &mut spec.root else { panic!("{:?}", spec.root) };
    // The first layer is the uppermost: its dpkg knows the packages of the run root and no others.
    let above = [format!("{stage}/root"), run];
    lowers.splice(0..0, above.iter().map(|path| HostPath::new(Path::new(path)).unwrap()));
    let oracle = run_spec(&spec).ok().stdout;
    let line =
        oracle.lines().find_map(|line| line.strip_prefix("shlibs:Depends=")).unwrap_or_else(|| panic!("{oracle}"));
    let expected: BTreeSet<&str> = line.split(", ").collect();
    assert!(expected.iter().any(|relation| relation.starts_with("libc6 (>= ")), "{line}");

    let package = read_deb(&env.package()).unwrap();
    let depends = package.field("Depends").unwrap();
    let found: BTreeSet<&str> =
        depends.split(", ").filter(|name| !["adduser", "python3.11", "runit"].contains(name)).collect();
    assert_eq!(found, expected);
}

#[test]
fn an_edit_of_a_module_looks_for_no_library_again() {
    let env = TestEnv::new();
    env.vb(&["build", "recipes/whois.ncl"]).ok();
    let module = env.read("recipes/apps/whois/whois_server/protocol.py");
    let line = format!("# {}\n", env.directory().display());
    fs::write(env.workspace().join("recipes/apps/whois/whois_server/protocol.py"), module + &line).unwrap();
    let run = env.vb(&["build", "recipes/whois.ncl"]).ok();
    assert!(run.executed().iter().all(|label| !label.ends_with(" libraries")), "{}", run.stderr);
    assert!(run.executed().contains(&"whois bookworm import check".to_owned()), "{}", run.stderr);
}
