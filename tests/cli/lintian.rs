//! What Debian's own checker says of the packages.

use std::collections::BTreeSet;

use crate::support::{TestEnv, test_root};

/// The tags that are known, each with the reason why it stays.
const KNOWN: &str = include_str!("lintian-tags.txt");

#[test]
fn lintian_finds_nothing_but_what_has_a_known_reason() {
    let (whois, django) = (TestEnv::new(), TestEnv::django());
    whois.vb(&["build", "recipes/whois.ncl"]).ok();
    django.vb(&["build", "recipes/somedjangoapp.ncl"]).ok();
    let packages = [whois.package(), django.package()];
    let shown = packages.each_ref().map(|path| format!("/packages/{}", path.file_name().unwrap().to_str().unwrap()));
    let mut arguments = vec!["lintian", "--fail-on", "error", "--display-info", "--tag-display-limit", "0"];
    arguments.extend(shown.iter().map(String::as_str));
    let binds = [(packages[0].as_path(), shown[0].as_str()), (packages[1].as_path(), shown[1].as_str())];
    let run = test_root("lintian").run(&arguments, &binds);
    // 2 is for a tag of the level `error`: some of the known ones are.
    assert!(matches!(run.code, 0 | 2), "lintian failed:\n{}", run.stdout);
    let found: BTreeSet<String> = run.stdout.lines().map(tag).collect();
    let report = |tag: &str| run.stdout.lines().filter(|line| self::tag(line) == tag).collect::<Vec<_>>().join("\n");
    let unknown: Vec<String> = found.difference(&known()).map(|tag| report(tag)).collect();
    assert!(unknown.is_empty(), "tags that are not in lintian-tags.txt:\n{}", unknown.join("\n"));
    let gone: Vec<_> = known().difference(&found).cloned().collect();
    assert_eq!(gone, Vec::<String>::new(), "tags of lintian-tags.txt that are no longer found");
}

/// Returns level and tag of a line: `E: vrmd-whois: non-standard-toplevel-dir [vrmd/]`.
pub(crate) fn tag(line: &str) -> String {
    let mut parts = line.splitn(3, ": ");
    let (Some(level), Some(_package), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        panic!("lintian printed `{line}`")
    };
    format!("{level}: {}", rest.split(' ').next().unwrap())
}

/// Returns the tags of the list: `E: tag`, with lines of reasons before them.
pub(crate) fn known() -> BTreeSet<String> {
    KNOWN.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}
