//! Promotion, rollback, retention, snapshots, garbage.

use fs_err as fs;
use vb_repo::{ChangeError, Changed, ChannelId, GarbagePolicy, Operation, RetentionRule, RollbackTarget, Wanted};
use vb_testkit::archive::Package;

use crate::fixture::{Fixture, channel, publisher, read_as_client};

const DAY: u64 = 24 * 3600;

fn wanted(name: &str) -> Wanted {
    Wanted { name: name.to_owned(), version: None }
}

fn add(fixture: &Fixture, to: &ChannelId, version: &str, time: u64) {
    let package = fixture.package(&Package::new("whois", version));
    fixture.repository.add(to, "main", &[package], &publisher(time)).unwrap();
}

fn seen(fixture: &Fixture, name: &str) -> Vec<String> {
    read_as_client(&fixture.root(), &format!("bookworm-{name}"))
}

#[test]
fn promotion_takes_the_latest_version_and_copies_no_package() {
    let fixture = Fixture::new();
    let (staging, production) = (channel("staging"), channel("production"));
    for version in ["9.0", "10.0~rc1", "10.0"] {
        add(&fixture, &staging, version, 1_700_000_000);
    }
    let before = fs::read_dir(fixture.root().join("pool/w/whois")).unwrap().count();
    fixture.repository.promote(&staging, &production, &[wanted("whois")], &publisher(1_700_000_000)).unwrap();
    assert_eq!(seen(&fixture, "production"), ["whois 10.0"]);
    assert_eq!(fs::read_dir(fixture.root().join("pool/w/whois")).unwrap().count(), before);
    let version = Wanted { version: Some("9.0".to_owned()), ..wanted("whois") };
    fixture.repository.promote(&staging, &production, &[version], &publisher(1_700_000_000)).unwrap();
    assert_eq!(seen(&fixture, "production"), ["whois 10.0", "whois 9.0"]);
    let unknown = fixture.repository.promote(&staging, &production, &[wanted("who")], &publisher(1_700_000_000));
    assert!(matches!(unknown, Err(ChangeError::NoPackage { .. })), "{unknown:?}");
}

#[test]
fn promotion_takes_along_what_is_needed_in_one_version_and_is_not_there() {
    let fixture = Fixture::new();
    let (staging, production) = (channel("staging"), channel("production"));
    let now = publisher(1_700_000_000);
    let application = Package::new("whois", "1.0").field("Depends", "libc6 (>= 2.36), python (= 3.13-1), absent (= 1)");
    let python = Package::new("python", "3.13-1").field("Depends", "python-stdlib (= 3.13-1), whois (= 1.0)");
    let others = ["3.13-2", "3.12-1"].map(|version| Package::new("python", version));
    let rest = [Package::new("python-stdlib", "3.13-1"), Package::new("libc6", "2.36")];
    let packages: Vec<_> =
        [application, python].iter().chain(&others).chain(&rest).map(|package| fixture.package(package)).collect();
    fixture.repository.add(&staging, "main", &packages, &now).unwrap();
    let promote = || fixture.repository.promote(&staging, &production, &[wanted("whois")], &now).unwrap();
    let Changed::To { operation: Operation::Promote { packages, .. }, .. } = promote() else {
        panic!("nothing changed")
    };
    let names: Vec<&str> = packages.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["python-stdlib", "python", "whois"]);
    assert_eq!(seen(&fixture, "production"), ["python 3.13-1", "python-stdlib 3.13-1", "whois 1.0"]);
    assert_eq!(promote(), Changed::Nothing);
}

#[test]
fn a_rollback_leads_one_change_of_the_package_back_and_the_next_one_further() {
    let fixture = Fixture::new();
    let production = channel("production");
    for (index, version) in ["1.0", "1.1", "1.2"].into_iter().enumerate() {
        add(&fixture, &production, version, 1_700_000_000 + index as u64);
        let other = fixture.package(&Package::new("other", version));
        fixture.repository.add(&production, "main", &[other], &publisher(1_700_000_000)).unwrap();
    }
    let rollback = || {
        let names = ["whois".to_owned()];
        fixture.repository.rollback(&production, &names, &RollbackTarget::Previous, &publisher(1_700_000_000))
    };
    let changed = rollback().unwrap();
    assert!(matches!(changed, Changed::To { operation: Operation::Rollback { .. }, .. }), "{changed:?}");
    let others = ["other 1.0", "other 1.1", "other 1.2"];
    assert_eq!(seen(&fixture, "production"), [&others[..], &["whois 1.0", "whois 1.1"]].concat());
    rollback().unwrap();
    assert_eq!(seen(&fixture, "production"), [&others[..], &["whois 1.0"]].concat());
    assert!(matches!(rollback(), Err(ChangeError::NoGeneration { .. })));
    fixture.repository.rollback(&production, &[], &RollbackTarget::Number(1), &publisher(1_700_000_000)).unwrap();
    assert_eq!(seen(&fixture, "production"), ["other 1.0", "whois 1.0"]);
}

#[test]
fn every_index_is_younger_than_the_one_before_whatever_the_clock_says() {
    let fixture = Fixture::new();
    let development = channel("development");
    let mut dates = Vec::new();
    for (version, time) in [("1.0", 1_700_000_000), ("1.1", 1_600_000_000), ("1.2", 1_600_000_000)] {
        add(&fixture, &development, version, time);
        let release = fixture.read("dists/bookworm-development/Release");
        dates.push(release.lines().find(|line| line.starts_with("Date: ")).unwrap().to_owned());
    }
    assert_eq!(dates[0], "Date: Tue, 14 Nov 2023 22:13:20 UTC");
    assert_eq!(dates[1], "Date: Tue, 14 Nov 2023 22:13:21 UTC");
    assert_eq!(dates[2], "Date: Tue, 14 Nov 2023 22:13:22 UTC");
}

#[test]
fn retention_keeps_the_latest_the_young_and_what_another_channel_has() {
    let fixture = Fixture::new();
    let (development, production) = (channel("development"), channel("production"));
    for (age, version) in ["1.0", "1.1", "1.2", "1.10"].into_iter().enumerate() {
        add(&fixture, &development, version, 1_700_000_000 + DAY * age as u64);
    }
    let version = Wanted { version: Some("1.0".to_owned()), ..wanted("whois") };
    fixture.repository.promote(&development, &production, &[version], &publisher(1_700_000_000)).unwrap();
    let now = publisher(1_700_000_000 + 4 * DAY);
    let rule = RetentionRule { keep: 1, younger_than: Some(2 * DAY + 1), keeps_promoted: true };
    fixture.repository.retain(&development, rule, &now).unwrap();
    assert_eq!(seen(&fixture, "development"), ["whois 1.0", "whois 1.10", "whois 1.2"]);
    let rule = RetentionRule { keep: 0, younger_than: None, keeps_promoted: false };
    fixture.repository.retain(&development, rule, &now).unwrap();
    assert_eq!(seen(&fixture, "development"), ["whois 1.10"]);
    assert_eq!(fixture.repository.retain(&development, rule, &now).unwrap(), Changed::Nothing);
    assert_eq!(seen(&fixture, "production"), ["whois 1.0"]);
}

#[test]
fn a_snapshot_brings_back_what_was_there() {
    let fixture = Fixture::new();
    let development = channel("development");
    add(&fixture, &development, "1.0", 1_700_000_000);
    assert!(fixture.repository.snapshot("good", std::slice::from_ref(&development), 1_700_000_000).unwrap());
    assert!(!fixture.repository.snapshot("good", std::slice::from_ref(&development), 1_700_000_000).unwrap());
    add(&fixture, &development, "1.1", 1_700_000_000);
    let snapshot = fixture.repository.snapshots().unwrap().remove("good").unwrap();
    fixture.repository.restore(&snapshot, &development, &publisher(1_700_000_000)).unwrap();
    assert_eq!(seen(&fixture, "development"), ["whois 1.0"]);
}

/// Garbage is told by the times of files, which are the clock's.
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn garbage_is_what_no_reader_no_history_and_no_snapshot_needs() {
    let fixture = Fixture::new();
    let (development, now) = (channel("development"), now());
    let in_pool = || {
        fs::read_dir(fixture.root().join("pool/w/whois"))
            .unwrap()
            .filter(|digest| fs::read_dir(digest.as_ref().unwrap().path()).unwrap().count() > 0)
            .count()
    };
    add(&fixture, &development, "1.0", now);
    let first = fixture.read("dists/bookworm-development/Release");
    fixture.repository.snapshot("first", std::slice::from_ref(&development), now).unwrap();
    add(&fixture, &development, "1.1", now);
    fixture.repository.remove(&development, &[wanted("whois")], &publisher(now)).unwrap();
    add(&fixture, &development, "1.2", now);

    let policy = |grace, history| GarbagePolicy { grace, history };
    let collect = |policy, time| fixture.repository.collect_garbage(policy, time, false).unwrap().removed;
    assert_eq!(collect(policy(DAY, 7 * DAY), now), Vec::<String>::new());
    let trial = fixture.repository.collect_garbage(policy(60, 60), now + DAY, true).unwrap();
    // Within the history, only the indexes go that nobody reads any more.
    let removed = collect(policy(DAY, 7 * DAY), now + 3 * DAY);
    assert!(!removed.is_empty());
    assert!(removed.iter().all(|name| name.contains("by-hash") || name.contains("manifests")), "{removed:?}");
    assert_eq!(in_pool(), 3);
    let by_hash = first.lines().find_map(|line| line.trim().strip_suffix(" main/binary-amd64/Packages.xz")).unwrap();
    assert!(removed.iter().any(|name| name.ends_with(by_hash.split(' ').next().unwrap())), "{removed:?}");

    // Behind it, the package goes that only the replaced generations had, but not the snapshot's.
    let removed = collect(policy(DAY, 7 * DAY), now + 30 * DAY);
    assert!(removed.iter().any(|name| name.ends_with("whois_1.1_amd64.deb")), "{removed:?}");
    assert!(trial.removed.iter().any(|name| name.ends_with("whois_1.1_amd64.deb")), "{trial:?}");
    assert_eq!(in_pool(), 2);
    assert_eq!(seen(&fixture, "development"), ["whois 1.2"]);
    let snapshot = fixture.repository.snapshots().unwrap().remove("first").unwrap();
    fixture.repository.restore(&snapshot, &development, &publisher(now)).unwrap();
    assert_eq!(seen(&fixture, "development"), ["whois 1.0"]);
    assert!(fixture.repository.verify(&[development]).unwrap().problems.is_empty());
}
