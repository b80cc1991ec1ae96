//! Resolving requests over small archives: each of Debian's rules in one table or test.

#![expect(clippy::unwrap_used, reason = "a broken fixture must fail its test")]

use std::time::{Duration, SystemTime};

use vb_fetch::{FetchOptions, Fetcher};
use vb_platform::{
    ArchiveLocation, Index, IndexMemory, Pin, ResolveError, Resolver, SignedBy, Suite, ValidUntil, load,
};
use vb_testkit::archive::{Archive, Key, KeyOptions, Package};

const TODAY: u32 = 1_795_132_800;

/// Makes an index of packages: `name version; Field: value; …` each.
fn index(packages: &[&str]) -> Index {
    index_of(&[("bookworm", "", packages)])
}

/// Makes an index of suites: name, more fields of the `Release` file, and packages.
fn index_of(suites: &[(&str, &str, &[&str])]) -> Index {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::generate(KeyOptions { created: TODAY - 1, ..KeyOptions::default() });
    let base = dir.path().to_str().unwrap().to_owned();
    let mut loaded = Vec::new();
    for (name, release_fields, packages) in suites {
        let packages = packages.iter().map(|text| package(text)).collect();
        let release_fields = (*release_fields).to_owned();
        Archive { release_fields, ..Archive::new(name, packages, TODAY) }.write(dir.path(), &key);
        let keyrings = vec![SignedBy::Inline(key.to_armor())];
        loaded.push(Suite {
            name: (*name).to_owned(),
            components: vec!["main".to_owned()],
            locations: vec![ArchiveLocation { base: base.clone(), keyrings }],
            valid_until: ValidUntil::Checked,
            known_date: None,
        });
    }
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(TODAY.into());
    load(&Fetcher::new(&FetchOptions::default()).unwrap(), &loaded, "amd64", time, IndexMemory::none()).unwrap()
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
    resolved_from(&index(packages), &[], request)
}

fn resolved_from(index: &Index, pins: &[Pin], request: &[&str]) -> Result<Vec<String>, ResolveError> {
    let request: Vec<String> = request.iter().map(ToString::to_string).collect();
    let locked = Resolver::new(index, pins).unwrap().resolve(&request)?;
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
fn only_the_preferred_version_is_taken_where_that_has_an_answer() {
    // As apt does: the older `b` would do, and the second alternative needs no older version.
    let packages = ["a 1; Depends: b (<< 2) | c", "b 1", "b 2", "c 1"];
    check(&packages, &["a"], &["a 1", "c 1"]);
    // Where apt gives up, an older version is an answer.
    check(&["a 1; Depends: b (<< 2)", "b 1", "b 2"], &["a"], &["a 1", "b 1"]);
}

#[test]
fn a_suite_that_is_not_automatic_is_used_where_nothing_else_has_the_package_or_it_is_asked_for() {
    let stable: &[&str] = &["a 1; Depends: b", "b 1"];
    let backports: &[&str] = &["b 2", "a 2; Depends: b (>= 2)", "c 1; Depends: b (>= 2)", "d 1"];
    let fields = "NotAutomatic: yes\nButAutomaticUpgrades: yes\n";
    let index = index_of(&[("stable", "", stable), ("backports", fields, backports)]);
    let check = |request: &[&str], expect: &[&str]| {
        assert_eq!(resolved_from(&index, &[], request).unwrap(), expect, "{request:?}");
    };
    check(&["a"], &["a 1", "b 1"]);
    check(&["d"], &["d 1"]);
    check(&["b (>= 2)"], &["b 2"]);
    check(&["c"], &["b 2", "c 1"]);
    check(&["c", "b (>= 2)"], &["b 2", "c 1"]);
}

#[test]
fn pins_choose_the_suite_of_packages_and_forbid_some() {
    let stable: &[&str] = &["python3 1; Depends: lib", "python3-x 1", "lib 1"];
    let backports: &[&str] = &["python3 2; Depends: lib", "python3-x 2", "lib 2"];
    let index = index_of(&[("stable", "", stable), ("backports", "NotAutomatic: yes\n", backports)]);
    let pin = |packages: &[&str], suite: &str, priority| Pin {
        packages: packages.iter().map(ToString::to_string).collect(),
        suite: suite.to_owned(),
        priority,
    };
    let check = |pins: &[Pin], request: &[&str], expect: &[&str]| {
        assert_eq!(resolved_from(&index, pins, request).unwrap(), expect, "{pins:?} {request:?}");
    };
    check(&[pin(&["python3*"], "backports", 990)], &["python3", "python3-x"], &["lib 1", "python3 2", "python3-x 2"]);
    check(&[pin(&["*"], "backports", 990)], &["python3"], &["lib 2", "python3 2"]);
    check(&[pin(&["lib"], "stable", -1)], &["python3"], &["lib 2", "python3 1"]);
    check(&[pin(&["python3-x"], "stable", 10)], &["python3-x"], &["python3-x 1"]);
    let never = [pin(&["lib"], "stable", -1), pin(&["lib"], "backports", -1)];
    let error = resolved_from(&index, &never, &["python3"]).unwrap_err().to_string();
    assert!(error.contains("`python3 1, 2` depends on `lib`, which no suite has"), "{error}");
}

#[test]
fn a_package_that_is_asked_for_is_taken_itself_though_another_provides_it() {
    let packages = ["a 1; Depends: b", "b 1; Provides: v", "v 1", "w 1; Provides: x"];
    check(&packages, &["a", "v"], &["a 1", "b 1", "v 1"]);
    check(&packages, &["a", "x"], &["a 1", "b 1", "w 1"]);
}

#[test]
fn a_qualifier_names_the_own_architecture_or_nothing() {
    check(&["a 1; Depends: b:amd64, c:native", "b 1", "c 1"], &["a"], &["a 1", "b 1", "c 1"]);
    check(&["a 1; Depends: b:i386 | c", "b 1", "c 1"], &["a"], &["a 1", "c 1"]);
    assert!(resolved(&["a 1; Depends: b:i386", "b 1"], &["a"]).is_err());
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

/// Returns why a request cannot be satisfied, in lines.
fn explanation(packages: &[&str], request: &[&str]) -> Vec<String> {
    match resolved(packages, request).unwrap_err() {
        ResolveError::Unsatisfiable { explanation, .. } => explanation,
        error => panic!("not unsatisfiable: {error}"),
    }
}

#[test]
fn an_unsatisfiable_request_explains_the_chain() {
    let packages = ["a 1; Depends: b", "b 1; Depends: c (>= 2) | d", "c 1"];
    let expect = ["`a 1` depends on `b`", "`b 1` depends on `c (>= 2) | d`, which no suite has"];
    assert_eq!(explanation(&packages, &["a"]), expect);
    let text = resolved(&packages, &["a"]).unwrap_err().to_string();
    assert_eq!(text, format!("`a` cannot be installed together:\n{}", expect.join("\n")));
}

#[test]
fn a_clash_of_versions_is_explained_from_both_sides() {
    let packages = ["a 1; Depends: c (>= 2)", "b 1; Depends: c (<< 2)", "c 1", "c 2"];
    let expect =
        ["`a 1` depends on `c (>= 2)`", "`b 1` depends on `c (<< 2)`", "`c 2` cannot be installed together with `c 1`"];
    assert_eq!(explanation(&packages, &["a", "b"]), expect);
}

#[test]
fn a_conflict_is_explained_in_the_words_of_the_package() {
    let packages = ["a 1; Depends: b", "b 1; Breaks: c (<< 2)", "c 1"];
    assert_eq!(explanation(&packages, &["a", "c"]), ["`a 1` depends on `b`", "`b 1` breaks `c (<< 2)`"]);
    let packages = ["a 1; Conflicts: v", "b 1; Provides: v", "b 2; Provides: v"];
    let expect = ["`a 1` conflicts with `v`, which `b 2` provides", "`a 1` conflicts with `v`, which `b 1` provides"];
    assert_eq!(explanation(&packages, &["a", "b"]), expect);
}

#[test]
fn the_result_is_sorted_and_names_the_file() {
    let request = ["z", "a"].map(str::to_owned);
    let index = index(&["z 1", "a 1:2; Architecture: all"]);
    let locked = Resolver::new(&index, &[]).unwrap().resolve(&request).unwrap();
    assert_eq!(locked[0].name, "a");
    assert_eq!(locked[0].architecture, "all");
    assert_eq!(locked[0].path, "pool/a_1%3a2.deb");
    assert_eq!(locked[1].name, "z");
}
