//! The package where it runs: its fields, and its life on a server that has nothing but apt.

use std::path::Path;

use vb_package::{DebEntryKind, DebMetadata, read_deb};
use vb_recipe::Lock;
use vb_sandbox::{Access, Filter, Identity};

use crate::support::{
    Mirror, Postgresql, Repository, SOCKET_DIRECTORY, TestEnv, bind, company_key, run_spec, scripts, sha256, test_root,
};

#[test]
fn a_package_is_installed_upgraded_rolled_back_removed_and_purged() {
    let first = TestEnv::new();
    first.vb(&["build", "recipes/whois.ncl"]).ok();
    let second = next_version();

    let key = company_key();
    let companies = first.directory().join("companies");
    for (revision, name, packages) in [(0, "first", vec![&first]), (1, "second", vec![&first, &second])] {
        let mut repository = Repository::new(companies.join(name));
        packages.iter().for_each(|env| repository.add(&env.package()));
        repository.publish(&key, revision);
    }
    let debian = Mirror::of_whois();
    let database = Postgresql::start("whois", &first.read("recipes/apps/whois/schema.sql"));

    let mut spec = test_root("server").spec(&["/bin/sh", "/scripts/install.sh"], Identity::Root);
    spec.filter = Filter::PretendOwnership;
    spec.binds = vec![
        scripts(),
        bind(&companies, "/companies", Access::ReadOnly),
        bind(&debian.archive(), "/debian", Access::ReadOnly),
        bind(&debian.keyring(), "/debian.asc", Access::ReadOnly),
        bind(&database.socket(), SOCKET_DIRECTORY, Access::ReadWrite),
    ];
    let run = run_spec(&spec).ok();
    assert!(run.stdout.ends_with("== done\n"), "the script ended early:\n{}", run.stdout);
}

/// Builds a version 1.0.1 that answers an unknown domain in other words.
fn next_version() -> TestEnv {
    let env = TestEnv::new();
    env.edit("recipes/apps/whois/whois_server/protocol.py", "No match for", "Nothing known of");
    let changelog = env.read("recipes/apps/whois/debian/changelog");
    let entry = "vrmd-whois (1.0.1) unstable; urgency=medium\n\n  * Other words.\n\n \
                 -- vb maintainers <vb@example.org>  Sat, 21 Nov 2026 12:00:00 +0000\n\n";
    env.write("recipes/apps/whois/debian/changelog", &format!("{entry}{changelog}"));
    // Saves half a minute.
    env.edit("recipes/platforms/bookworm.ncl", "compression = 'Xz", "compression = 'Zstd");
    env.commit();
    env.vb(&["build", "recipes/whois.ncl"]).ok();
    env
}

#[test]
fn the_fields_say_what_the_package_is_and_what_it_needs() {
    let env = TestEnv::new();
    env.vb(&["build", "recipes/whois.ncl"]).ok();
    let package = read_deb(&env.package()).unwrap();
    let field = |name: &str| package.field(name).unwrap_or_else(|| panic!("no field `{name}`")).to_owned();
    assert_eq!(field("Package"), "vrmd-whois");
    assert_eq!(field("Version"), "1.0.0");
    assert_eq!(field("Architecture"), "amd64");
    assert_eq!(field("Depends"), "python3.11, adduser, runit, libc6 (>= 2.14), libpq5 (>= 10~~)");
    assert_eq!(field("Installed-Size"), installed_size(&package).to_string());
    let commit = env.git(&["rev-parse", "HEAD"]).stdout;
    let description = format!(
        "WHOIS server with a PostgreSQL table behind it\n Answers the WHOIS protocol (RFC 3912) on TCP from a table of \
         domains.\n Its configuration is /etc/whois/production.yml; runit supervises it.\n .\n Branch: main Commit: {}",
        commit.trim()
    );
    assert_eq!(field("Description"), description);
    let files = package.entries.iter().filter(|entry| entry.kind == DebEntryKind::File);
    let mut paths: Vec<String> = files.map(|entry| entry.path.trim_start_matches("./").to_owned()).collect();
    paths.sort();
    assert_eq!(package.md5sums.keys().cloned().collect::<Vec<_>>(), paths);
}

/// Counts as `dpkg-gencontrol` does: files and links by their KiB rounded up, directories as one.
fn installed_size(package: &DebMetadata) -> u64 {
    let sizes = package.entries.iter().map(|entry| match &entry.kind {
        DebEntryKind::Symlink { target } => (target.len() as u64).div_ceil(1024),
        DebEntryKind::File => entry.size.div_ceil(1024),
        _ => 1,
    });
    sizes.sum()
}

#[test]
fn a_package_without_compiled_code_is_for_all_architectures_and_without_excluded_files() {
    let env = pure_application();
    env.write("recipes/apps/pure/x.bak", "left by an editor\n");
    env.write("recipes/apps/pure/pure/y.orig", "left by a merge\n");
    // A source can be a repository of its own.
    drop(env.git(&["init", "--quiet", "--initial-branch=trunk", "recipes/apps/pure"]));
    drop(env.git(&["-C", "recipes/apps/pure", "add", "--all", "--force"]));
    drop(env.git(&["-C", "recipes/apps/pure", "commit", "--quiet", "--message", "test"]));
    let run = env.vb(&["build", "recipes/pure.ncl"]).ok();
    assert_eq!(run.stdout, "dist/bookworm/vrmd-pure_2.1_all.deb\n");

    let package = read_deb(&env.package()).unwrap();
    assert_eq!(package.field("Architecture"), Some("all"));
    let commit = env.git(&["-C", "recipes/apps/pure", "rev-parse", "HEAD"]).stdout;
    let origin = format!("\n Branch: trunk Commit: {}", commit.trim());
    assert!(package.field("Description").unwrap().ends_with(&origin), "{:?} {origin:?}", package.control);
    let application = "./vrmd/pure/pure/";
    let mut files: Vec<&str> =
        package.entries.iter().filter_map(|entry| entry.path.strip_prefix(application)).collect();
    files.sort_unstable();
    let expected = [
        "",
        "pure/",
        "pure/__init__.py",
        "pure/__pycache__/",
        "pure/__pycache__/__init__.cpython-311.pyc",
        "requirements.txt",
    ];
    assert_eq!(files, expected);
}

/// Makes an application that needs structlog alone, with the lock of `whois` cut to that.
fn pure_application() -> TestEnv {
    let env = TestEnv::new();
    env.write("recipes/apps/pure/requirements.txt", "structlog==26.1.0\n");
    env.write("recipes/apps/pure/pure/__init__.py", "\"\"\"Logs.\"\"\"\n\nimport structlog\n");
    let recipe = env.read("recipes/whois.ncl").replace("whois", "pure");
    let recipe = recipe.replace("} | vb.Recipe", "  version = 'Fixed \"2.1\",\n} | vb.Recipe");
    env.write("recipes/pure.ncl", &recipe);
    write_lock(&env.workspace().join("recipes"));
    env.commit();
    env
}

fn write_lock(recipes: &Path) {
    let mut lock = Lock::read(&recipes.join("whois.lock")).unwrap();
    let platform = lock.platforms.get_mut("bookworm").unwrap();
    let digest = sha256(&recipes.join("apps/pure/requirements.txt")).parse().unwrap();
    platform.request.requirements = [("requirements.txt".to_owned(), digest)].into();
    platform.distributions.retain(|locked| ["structlog", "typing-extensions"].contains(&&*locked.distribution.name));
    assert_eq!(platform.distributions.len(), 2);
    lock.write(&recipes.join("pure.lock")).unwrap();
}
