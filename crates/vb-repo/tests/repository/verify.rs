//! Damage is found, and a channel whose client files are behind is mended by the next publisher.

use fs_err as fs;
use vb_repo::Changed;
use vb_testkit::archive::Package;

use crate::fixture::{Fixture, channel, publisher, read_as_client};

#[test]
fn whatever_is_damaged_or_gone_is_named() {
    let fixture = Fixture::with(|settings| settings.has_contents = true);
    let development = channel("development");
    let package = fixture.package(&Package::new("whois", "1.0").file("./usr/bin/whois", "#!/bin/sh\n", 0o755));
    fixture.repository.add(&development, "main", &[package], &publisher(1_700_000_000)).unwrap();
    let problems = || -> Vec<String> {
        let report = fixture.repository.verify(std::slice::from_ref(&development)).unwrap();
        report.problems.iter().map(|problem| problem.object().to_owned()).collect()
    };
    assert_eq!(problems(), Vec::<String>::new());
    let pool = vb_repo::Storage::list(fixture.repository.storage(), "pool").unwrap();
    let package = pool[0].name.clone();
    let dist = "dists/bookworm-development";
    for name in [
        package.as_str(),
        &format!("{dist}/InRelease"),
        &format!("{dist}/Release"),
        &format!("{dist}/Release.gpg"),
        &format!("{dist}/main/binary-amd64/Packages.gz"),
        &format!("{dist}/main/Contents-amd64.gz"),
    ] {
        let path = fixture.root().join(name);
        let whole = fs::read(&path).unwrap();
        // A name of its own, because names by digest are other names of the same file.
        fs::remove_file(&path).unwrap();
        assert_eq!(problems(), [name]);
        fs::write(&path, &whole[..whole.len() - 8]).unwrap();
        assert_eq!(problems(), [name]);
        let mut other = whole.clone();
        other[whole.len() / 2] ^= 1;
        fs::write(&path, &other).unwrap();
        assert_eq!(problems(), [name]);
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(problems(), Vec::<String>::new());
}

#[test]
fn client_files_that_are_behind_are_written_by_whoever_comes_next() {
    let fixture = Fixture::new();
    let development = channel("development");
    let first = fixture.package(&Package::new("whois", "1.0"));
    let second = fixture.package(&Package::new("whois", "1.1"));
    fixture.repository.add(&development, "main", &[first], &publisher(1_700_000_000)).unwrap();
    let suite = "dists/bookworm-development";
    let before: Vec<(String, Vec<u8>)> = ["InRelease", "Release", "Release.gpg", "main/binary-amd64/Packages"]
        .map(|name| (format!("{suite}/{name}"), fs::read(fixture.root().join(suite).join(name)).unwrap()))
        .to_vec();
    let published = fs::read(fixture.root().join("state/published/bookworm-development")).unwrap();
    fixture.repository.add(&development, "main", std::slice::from_ref(&second), &publisher(1_700_000_000)).unwrap();
    // As a publisher leaves it that dies behind the pointer's move.
    for (name, bytes) in before {
        fs::write(fixture.root().join(name), bytes).unwrap();
    }
    fs::write(fixture.root().join("state/published/bookworm-development"), published).unwrap();
    assert_eq!(read_as_client(&fixture.root(), "bookworm-development"), ["whois 1.0"]);
    let again = fixture.again().add(&development, "main", &[second], &publisher(1_700_000_000)).unwrap();
    assert_eq!(again, Changed::Nothing);
    assert_eq!(read_as_client(&fixture.root(), "bookworm-development"), ["whois 1.0", "whois 1.1"]);
    assert!(fixture.repository.verify(&[development]).unwrap().problems.is_empty());
}
