//! Resolving requests over small archives: each of Debian's rules in one table or test.

#![expect(clippy::unwrap_used, reason = "a broken fixture must fail its test")]

use std::time::{Duration, SystemTime};

use vb_fetch::{FetchOptions, Fetcher};
use vb_platform::{ArchiveLocation, Index, ResolveError, SignedBy, Suite, ValidUntil, load, resolve};
use vb_testkit::archive::{Archive, Key, KeyOptions, Package};

const TODAY: u32 = 1_795_132_800;

/// Makes an index of packages: `name version; Field: value; …` each.
fn index(packages: &[&str]) -> Index {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::generate(KeyOptions { created: TODAY - 1, ..KeyOptions::default() });
    let packages = packages.iter().map(|text| package(text)).collect();
    Archive::new("bookworm", packages, TODAY).write(dir.path(), &key);
    let base = dir.path().to_str().unwrap().to_owned();
    let suite = Suite {
        name: "bookworm".to_owned(),
        components: vec!["main".to_owned()],
        locations: vec![ArchiveLocation { base, keyrings: vec![SignedBy::Inline(key.to_armor())] }],
        valid_until: ValidUntil::Checked,
    };
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(TODAY.into());
    load(&Fetcher::new(&FetchOptions::default()).unwrap(), &[suite], "amd64", time).unwrap()
}

fn package(text: &str) -> Package {
    let mut parts = text.split("; ");
    let (name, version) = parts.next().unwrap().split_once(' ').unwrap();
    parts.fold(Package::new(name, version), |package, field| {
        let (name, value) = field.split_once(": ").unwrap();
        package.field(name, value)
    })
}

fn resolved(packages: &[&str], request: &[&str]) -> Result<Vec<String>, ResolveError> {
    let request: Vec<String> = request.iter().map(ToString::to_string).collect();
    let locked = resolve(&index(packages), &request)?;
    Ok(locked.into_iter().map(|package| format!("{} {}", package.name, package.version)).collect())
}

fn check(packages: &[&str], request: &[&str], expect: &[&str]) {
    assert_eq!(resolved(packages, request).unwrap(), expect, "{packages:?}");
}

#[test]
fn dependencies_are_followed_at_the_highest_version() {
    let packages = [
        "a 1; Depends: b (>= 2), c; Pre-Depends: d",
        "b 1",
        "b 2",
        "b 2.1~rc1",
        "b 10",
        "c 1",
        "d 1; Depends: a",
        "x 1",
    ];
    check(&packages, &["a"], &["a 1", "b 10", "c 1", "d 1"]);
    check(&packages, &["a", "b (<< 10)"], &["a 1", "b 2.1~rc1", "c 1", "d 1"]);
    check(&packages, &["b (= 1) | c"], &["b 1"]);
}

#[test]
fn recommended_packages_are_left_out() {
    check(&["a 1; Recommends: b; Suggests: b", "b 1"], &["a"], &["a 1"]);
}

#[test]
fn essential_packages_are_always_in() {
    check(&["a 1", "dash 1; Essential: yes; Pre-Depends: libc", "libc 1"], &["a"], &["a 1", "dash 1", "libc 1"]);
}

#[test]
fn the_first_alternative_that_can_be_had_is_taken() {
    check(&["a 1; Depends: b | c", "b 1", "c 1"], &["a"], &["a 1", "b 1"]);
    check(&["a 1; Depends: b | c", "c 1"], &["a"], &["a 1", "c 1"]);
    check(&["a 1; Depends: b (>= 2) | c", "b 1", "c 1"], &["a"], &["a 1", "c 1"]);
    check(&["a 1; Depends: b | c", "b 1; Depends: nothing", "c 1"], &["a"], &["a 1", "c 1"]);
    check(&["a 1; Depends: b | c; Conflicts: b", "b 1", "c 1"], &["a"], &["a 1", "c 1"]);
}

#[test]
fn a_real_package_comes_before_what_provides_it() {
    check(&["a 1; Depends: v", "p 1; Provides: v; Priority: required", "v 1"], &["a"], &["a 1", "v 1"]);
}

#[test]
fn providers_are_tried_by_priority_and_then_by_name() {
    let packages = [
        "a 1; Depends: awk",
        "gawk 1; Provides: awk; Priority: optional",
        "mawk 1; Provides: awk; Priority: required",
        "bawk 1; Provides: awk; Priority: optional",
    ];
    check(&packages, &["a"], &["a 1", "mawk 1"]);
    check(&["a 1; Depends: awk", packages[1], packages[3]], &["awk"], &["bawk 1"]);
}

#[test]
fn a_bound_is_met_only_by_a_provided_version_within_it() {
    let packages =
        ["a 1; Depends: v (>= 2)", "old 9; Provides: v (= 1)", "bare 9; Provides: v", "z 9; Provides: v (= 2)"];
    check(&packages, &["a"], &["a 1", "z 9"]);
    assert!(resolved(&packages[..3], &["a"]).is_err());
}

#[test]
fn conflicts_and_breaks_exclude_versions_and_providers() {
    check(&["a 1; Breaks: b (<< 2)", "b 1", "b 2"], &["a", "b"], &["a 1", "b 2"]);
    assert!(resolved(&["a 1; Breaks: b (<< 2)", "b 1"], &["a", "b"]).is_err());
    assert!(resolved(&["a 1; Conflicts: b", "b 1"], &["a", "b"]).is_err());
    assert!(resolved(&["a 1; Conflicts: v", "b 1; Provides: v"], &["a", "b"]).is_err());
    check(&["a 1; Conflicts: v (<< 2)", "b 1; Provides: v (= 2)"], &["a", "b"], &["a 1", "b 1"]);
    assert!(resolved(&["a 1; Conflicts: v (<< 2)", "b 1; Provides: v (= 1)"], &["a", "b"]).is_err());
}

#[test]
fn a_package_never_conflicts_with_itself() {
    check(&["a 1; Provides: v; Conflicts: v, a (<< 1); Breaks: v"], &["a"], &["a 1"]);
}

#[test]
fn any_is_met_only_by_a_package_that_allows_it() {
    check(&["a 1; Depends: p:any", "p 1; Multi-Arch: allowed"], &["a"], &["a 1", "p 1"]);
    assert!(resolved(&["a 1; Depends: p:any", "p 1"], &["a"]).is_err());
}

#[test]
fn unknown_packages_are_reported_together_with_what_they_may_be() {
    let error =
        resolved(&["libpq5 15", "libpq5 16", "python3 3"], &["libpq55", "pyhton3", "libpq5 (>= 99)", "quite-another"]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "no package is named `libpq55`, did you mean `libpq5`?; \
         no package is named `pyhton3`, did you mean `python3`?; \
         no package satisfies `libpq5 (>= 99)` (there is: 15, 16); \
         no package is named `quite-another`"
    );
}

#[test]
fn a_malformed_request_is_refused() {
    assert!(matches!(resolved(&["a 1"], &["a (1"]).unwrap_err(), ResolveError::Malformed { .. }));
}

#[test]
fn an_unsatisfiable_request_explains_the_chain() {
    let packages = ["a 1; Depends: b", "b 1; Depends: c (>= 2)", "c 1"];
    let text = resolved(&packages, &["a"]).unwrap_err().to_string();
    for part in ["`a` cannot be installed together", "b", "it depends on `c (>= 2)`, which no suite has"] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    let packages = ["a 1; Depends: c (>= 2)", "b 1; Depends: c (<< 2)", "c 1", "c 2"];
    let text = resolved(&packages, &["a", "b"]).unwrap_err().to_string();
    for part in ["a 1", "b 1", "c (>= 2)", "c (<< 2)"] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn the_result_is_sorted_and_names_the_file() {
    let request = ["z", "a"].map(str::to_owned);
    let locked = resolve(&index(&["z 1", "a 1:2; Architecture: all"]), &request).unwrap();
    assert_eq!(locked[0].name, "a");
    assert_eq!(locked[0].architecture, "all");
    assert_eq!(locked[0].path, "pool/a_1%3a2.deb");
    assert_eq!(locked[1].name, "z");
}
