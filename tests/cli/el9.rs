//! A platform of the RPM family: from signed repositories to packages that dnf installs beside what they need.

use std::path::Path;

use expect_test::expect;
use fs_err as fs;
use vb_sandbox::{Access, Filter, Identity};

use crate::support::{El9, TRACE, TestEnv, bind, run_spec, scripts, systemd_refusal, test_root, test_root_of};

/// The workspace of `whois`, for bookworm and for el9.
fn workspace(archive: &El9) -> TestEnv {
    let env = TestEnv::new();
    archive.use_in(&env);
    let fields = "platforms = [\"bookworm\", \"el9\"],\n  \
                  overrides.el9 = { build_deps = [\"libpq-devel\"], run_deps = [\"libpq\", \"runit\", \"shadow-utils\"], \
                  test_deps = [\"systemd\"] }";
    env.edit("recipes/whois.ncl", "platforms = [\"bookworm\"]", fields);
    write_version(&env, "1.0.0");
    env
}

/// Makes the source one of a version, whose scriptlets write down which they are and what they are given.
fn write_version(env: &TestEnv, version: &str) {
    for script in ["pre", "post", "preun", "postun"] {
        let text = format!("#VB#\necho \"{version} {script} $1\" >> /var/log/whois-scripts\n");
        env.write(&format!("recipes/apps/whois/rpm/{script}"), &text);
    }
    env.edit("recipes/apps/whois/debian/changelog", "(1.0.0)", &format!("({version})"));
    env.commit();
}

#[test]
fn whois_is_locked_and_built_for_el9_and_dnf_installs_it_beside_what_it_needs() {
    let archive = El9::new();
    let env = workspace(&archive);
    let bookworm = env.read("recipes/whois.lock");
    env.vb(&["lock", "recipes/whois.ncl", "--platform", "el9"]).ok();
    let lock = env.read("recipes/whois.lock");
    assert!(lock.starts_with(bookworm.trim_end()), "another platform's part of the lock is not as it was");
    assert!(lock.contains("path = \"Packages/python3.11-3.11.2-"), "{lock}");
    let dated =
        |name: &str| lock.lines().any(|line| line.starts_with(&format!("{name} = ")) && line.ends_with(" UTC\""));
    assert!(lock.contains("[el9.archive]\n") && dated("baseos") && dated("appstream"), "{lock}");

    check_platforms(&env);

    let arguments =
        ["build", "recipes/whois.ncl", "--platform", "bookworm", "--platform", "el9", "--format", "deb,rpm"];
    let run = env.vb(&arguments).ok();
    let packages = [
        "dist/bookworm/vrmd-whois_1.0.0_amd64.deb",
        "dist/bookworm/vrmd-whois-1.0.0-1.x86_64.rpm",
        "dist/el9/vrmd-whois-1.0.0-1.x86_64.rpm",
    ];
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), packages);
    let root = env.vb(&["output", "recipes/whois.ncl", "whois el9 root build"]).ok();
    let trace = fs::read_to_string(format!("{}/{TRACE}", root.stdout.trim())).unwrap();
    let mut lines: Vec<&str> = trace.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["file trigger", "lua", "python3.11", "trigger"], "what a root runs did not run, or twice");

    let first = env.workspace().join("dist/el9/vrmd-whois-1.0.0-1.x86_64.rpm");
    read_by_every_rpm(&first);
    write_version(&env, "1.0.1");
    let run = env.vb(&["build", "recipes/whois.ncl", "--platform", "el9"]).ok();
    assert_eq!(run.stdout, "dist/el9/vrmd-whois-1.0.1-1.x86_64.rpm\n");

    take_through_its_life(&env);
    push_twice(&env);

    let mut spec = test_root("rpm").spec(&["/bin/bash", "/scripts/el9.sh"], Identity::Root);
    spec.filter = Filter::PretendOwnership;
    spec.binds = vec![
        scripts(),
        bind(&archive.base(), "/archive", Access::ReadOnly),
        bind(&archive.keyring(), "/key.asc", Access::ReadOnly),
        bind(&env.workspace().join("dist/el9"), "/packages", Access::ReadOnly),
    ];
    let run = run_spec(&spec).ok();
    assert!(run.stdout.ends_with("== done\n"), "the script ended early:\n{}", run.stdout);
}

/// Tests it on machines that are made of packages of this platform alone, and that systemd boots: Debian's helpers are on none.
fn take_through_its_life(env: &TestEnv) {
    let tested = env.vb(&["test", "recipes/whois.ncl", "--platform", "el9"]).ok();
    let passed = ["install", "upgrade", "rollback", "remove"].map(|part| format!("passed  whois el9 test {part}"));
    assert_eq!(tested.stdout.lines().collect::<Vec<_>>(), passed);
    let output = |action: &str| env.vb(&["output", "recipes/whois.ncl", action]).ok().stdout.trim().to_owned();
    let root = output("whois el9 root test");
    assert!(!Path::new(&root).join("usr/bin/deb-systemd-helper").exists());
    if systemd_refusal().is_none() {
        let report = fs::read_to_string(format!("{}/report.json", output("whois el9 test upgrade"))).unwrap();
        assert_eq!(report, r#"{"failure": null, "machine": "systemd", "scenario": "upgrade"}"#);
    }
}

/// Publishes it to a yum repository of the workspace, signed, and once.
fn push_twice(env: &TestEnv) {
    let text = env.read("recipes/workspace.ncl");
    let fields = "  repository = { path = \"repo\", keys = ['File \"key.asc\"], url = \"https://packages.example.org\" },\n\
                  } | vb.Workspace";
    env.write("recipes/workspace.ncl", &text.replace("} | vb.Workspace", fields));
    env.write(".gitignore", "/repo\n/dist\n/key.asc\n");
    env.commit();
    env.vb(&["key", "new", "key.asc", "--user", "test <test@example.org>"]).ok();
    env.vb(&["repo", "init"]).ok();
    let push = ["push", "recipes/whois.ncl", "--platform", "el9"];
    assert_eq!(env.vb(&push).ok().stdout, "el9-development  0  add vrmd-whois 1.0.1-1\n");
    let again = "el9-development  vrmd-whois 1.0.1-1 is published already, nothing to do\n";
    assert_eq!(env.vb(&push).ok().stdout, again);
    env.vb(&["repo", "verify"]).ok();
    let client = env.vb(&["repo", "client-config", "--platform", "el9", "--channel", "development"]).ok().stdout;
    let list = "mirrorlist=https://packages.example.org/rpm/el9-development/$basearch/mirrorlist\n";
    assert!(client.contains(list) && client.contains("\ngpgcheck=1\nrepo_gpgcheck=1\n"), "{client}");
}

/// The releases of rpm that a package of el9's platform is read by: what each says of it is the same.
fn read_by_every_rpm(package: &Path) {
    // Of the scriptlets, the lines that make their services live are not shown.
    let script = "set -e; rpm --version; rpm --checksig --verbose /package.rpm; \
                  for what in requires provides scripts; do \
                  echo \"== $what\"; rpm --query --package --$what /package.rpm > /tmp/told; \
                  if [ $what = scripts ]; then grep -E ' scriptlet |whois-scripts' /tmp/told; else uniq /tmp/told; fi; done";
    let roots = [
        (test_root_of("rpm-versions", "bullseye"), "4.16"),
        (test_root("rpm"), "4.18"),
        (test_root_of("rpm-versions", "trixie"), "4.20"),
    ];
    for (root, version) in roots {
        let run = root.run(&["/bin/sh", "-c", script], &[(package, "/package.rpm")]).ok();
        let (first, rest) = run.stdout.split_once('\n').unwrap();
        assert!(first.starts_with(&format!("RPM version {version}.")), "{first}");
        expect![[r#"
            /package.rpm:
                Header SHA256 digest: OK
                Payload SHA256 digest: OK
            == requires
            /bin/sh
            libc.so.6()(64bit)
            libc.so.6(GLIBC_2.14)(64bit)
            libc.so.6(GLIBC_2.2.5)(64bit)
            libc.so.6(GLIBC_2.3)(64bit)
            libpq
            libpq.so.5()(64bit)
            libpthread.so.0()(64bit)
            python(abi) = 3.11
            rpmlib(CompressedFileNames) <= 3.0.4-1
            rpmlib(FileDigests) <= 4.6.0-1
            rpmlib(PayloadFilesHavePrefix) <= 4.0-1
            rpmlib(PayloadIsZstd) <= 5.4.18-1
            rtld(GNU_HASH)
            runit
            shadow-utils
            == provides
            vrmd-whois = 1.0.0-1
            vrmd-whois(x86-64) = 1.0.0-1
            == scripts
            preinstall scriptlet (using /bin/sh):
            echo "1.0.0 pre $1" >> /var/log/whois-scripts
            postinstall scriptlet (using /bin/sh):
            echo "1.0.0 post $1" >> /var/log/whois-scripts
            preuninstall scriptlet (using /bin/sh):
            echo "1.0.0 preun $1" >> /var/log/whois-scripts
            postuninstall scriptlet (using /bin/sh):
            echo "1.0.0 postun $1" >> /var/log/whois-scripts
            posttrans scriptlet (using /bin/sh):
        "#]]
        .assert_eq(rest);
    }
}

/// The archive is checked for el9 itself, and for a platform of the user's own, which is one more file.
fn check_platforms(env: &TestEnv) {
    let run = env.vb(&["platform", "check", "el9"]).expect(3);
    assert!(run.stdout.ends_with("el9: its archive can be read, and is signed by a known key\n"), "{}", run.stdout);
    for told in ["vb::platform::packages", "`el9` has not all packages for Python 3.9", "`python3`"] {
        assert!(run.stderr.contains(told), "{}", run.stderr);
    }
    let el9 = env.read("recipes/platforms/el9.ncl");
    let (before, rest) = el9.split_once("  interpreters.\"3.9\"").unwrap();
    let (_, rest) = rest.split_once("  interpreters.\"3.11\"").unwrap();
    let (python, rest) = rest.split_once("  interpreters.\"3.12\"").unwrap();
    let (_, after) = rest.split_once("  default_python = \"3.9\"").unwrap();
    let own = format!("{before}  interpreters.\"3.11\"{python}  default_python = \"3.11\"{after}");
    env.write("recipes/platforms/mine.ncl", &own);
    env.edit("recipes/workspace.ncl", "archives = { el9 = ", "archives.mine = archives.el9,\n  archives = { el9 = ");
    let run = env.vb(&["platform", "check", "mine"]).ok();
    assert!(run.stdout.contains("mine: Python 3.11: "), "{}", run.stdout);
}
