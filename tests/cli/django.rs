//! A Django application with a pipeline: what is in its package, and its pages in a real browser.

use std::path::{Path, PathBuf};

use fs_err as fs;
use serde_json::{Value, json};
use vb_package::{DebEntryKind, read_deb};
use vb_sandbox::{Access, Filter, Identity};

use crate::support::{
    Mirror, Postgresql, Repository, SOCKET_DIRECTORY, TestEnv, bind, company_key, repository, run_spec, scripts,
    test_root,
};

const RECIPE: &str = "recipes/somedjangoapp.ncl";

#[test]
fn the_installed_application_is_what_a_browser_shows() {
    let env = TestEnv::django();
    env.vb(&["build", RECIPE]).ok();
    let company = env.directory().join("company");
    let mut archive = Repository::new(company.clone());
    archive.add(&env.package());
    archive.publish(&company_key(), 0);
    let debian = Mirror::of_locks(&[repository().join("recipes/somedjangoapp.lock")]);
    let database = Postgresql::start("somedjangoapp", "");
    let report = report_directory();

    let mut spec = test_root("browser").spec(&["/bin/sh", "/scripts/django.sh"], Identity::Root);
    spec.filter = Filter::PretendOwnership;
    spec.binds = vec![
        scripts(),
        bind(&company, "/company", Access::ReadOnly),
        bind(&debian.archive(), "/debian", Access::ReadOnly),
        bind(&debian.keyring(), "/debian.asc", Access::ReadOnly),
        bind(&database.socket(), SOCKET_DIRECTORY, Access::ReadWrite),
        bind(&report, "/report", Access::ReadWrite),
    ];
    let run = run_spec(&spec).ok();
    assert!(run.stdout.ends_with("== done\n"), "the script ended early:\n{}", run.stdout);
    check_english(&page(&report, "english"));
    check_german(&page(&report, "german"));
    assert_eq!(page(&report, "note")["notes"], json!(["Der Weg über den Grat ist vereist."]));
}

/// Makes the directory for what the browser saw, screenshots too; it stays after the test.
fn report_directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("somedjangoapp");
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn page(report: &Path, name: &str) -> Value {
    let screenshot = report.join(name).with_extension("png");
    assert!(fs::read(&screenshot).unwrap().starts_with(b"\x89PNG"), "{} is no picture", screenshot.display());
    serde_json::from_slice(&fs::read(report.join(name).with_extension("json")).unwrap()).unwrap()
}

fn check_english(page: &Value) {
    assert_eq!(page["language"], "en");
    assert_eq!(page["heading"], "Huts and where they are");
    assert_eq!(page["navigation"], json!(["All huts", "Open huts", "About"]));
    assert_eq!(page["current"], json!(["All huts", "English"]));
    assert_eq!(page["huts"][5], json!(["Zugspitzhütte", "2,962 m", "open", "0 notes"]));
    assert_eq!(page["version"], "1.0.0");
    // `darken(#1565c0, 10%)`, `#2e7d32`, `lighten(#6d6e71, 45%)` and `12px * 2` of LESS; then what plain CSS says: that of
    // the part with its own source, styles.css and Bootstrap.
    let styles = json!({
        "masthead": "rgb(16, 77, 146)",
        "open": "rgb(46, 125, 50)",
        "closed": "rgb(225, 225, 226)",
        "state": "24px",
        "navigation": "flex",
        "footer": "rgb(208, 212, 216)",
        "button": "4px",
    });
    assert_eq!(page["styles"], styles);
    assert_eq!(page["loaded"], loaded());
    let compressed = page["compressed"].as_array().unwrap();
    assert!(compressed.contains(&json!("/static/css/bootstrap.min.css")), "{compressed:?}");
}

/// Everything that the page loads, by its address with the version in it.
fn loaded() -> Value {
    json!([
        [200, "/static/css/bootstrap.min.css?v=1.0.0"],
        [200, "/static/css/style.css?v=1.0.0"],
        [200, "/static/css/styles.css?v=1.0.0"],
        [200, "/static/js/html5.js?v=1.0.0"],
        [200, "/static/nav/nav.css?v=1.0.0"],
    ])
}

fn check_german(page: &Value) {
    assert_eq!(page["address"], "/de/");
    assert_eq!(page["language"], "de");
    assert_eq!(page["title"], "Berghütten");
    assert_eq!(page["heading"], "Hütten und wo sie stehen");
    assert_eq!(page["navigation"], json!(["Alle Hütten", "Geöffnete Hütten", "Über diese Seite"]));
    assert_eq!(page["current"], json!(["Alle Hütten", "Deutsch"]));
    assert_eq!(page["huts"][5], json!(["Zugspitzhütte", "2.962 m", "geöffnet", "0 Notizen"]));
}

#[test]
fn compilers_stay_out_of_the_package() {
    let env = TestEnv::django();
    env.vb(&["build", RECIPE]).ok();
    let package = read_deb(&env.package()).unwrap();
    let depends = "python3.11, supervisor, tzdata, libc6 (>= 2.3), libpq5 (>= 10~~)";
    assert_eq!(package.field("Depends"), Some(depends));
    let paths: Vec<&str> = package.entries.iter().map(|entry| entry.path.as_str()).collect();
    let tools = ["node", "nodejs", "node_modules", "lessc", "less.js", "java", "msgfmt", "yuicompressor.jar", "gcc"];
    for path in &paths {
        let name = path.trim_end_matches('/').rsplit('/').next().unwrap();
        assert!(!tools.contains(&name) && !name.ends_with(".jar"), "{path} is in the package");
    }
    let native: Vec<&str> = paths.into_iter().filter(|path| path.contains(".so")).collect();
    let module = "./vrmd/somedjangoapp/lib/python3.11/site-packages/psycopg2/_psycopg.cpython-311-x86_64-linux-gnu.so";
    assert_eq!(native, [module]);
}

#[test]
fn what_debian_install_names_is_outside_of_the_application_and_below_etc_a_conffile() {
    let env = TestEnv::django();
    env.vb(&["build", RECIPE]).ok();
    let package = read_deb(&env.package()).unwrap();
    let outside: Vec<&str> = package
        .entries
        .iter()
        .filter(|entry| entry.kind == DebEntryKind::File && !entry.path.starts_with("./vrmd/"))
        .map(|entry| entry.path.as_str())
        .collect();
    let documents = "./usr/share/doc/vrmd-somedjangoapp";
    assert_eq!(
        outside,
        [
            "./etc/supervisor/conf.d/somedjangoapp.conf",
            &format!("{documents}/changelog.gz"),
            &format!("{documents}/copyright")
        ]
    );
    assert_eq!(package.conffiles, ["/etc/supervisor/conf.d/somedjangoapp.conf"]);
}
