//! Packages come into channels, and clients find them.

use vb_repo::{AddError, ChangeError, Changed};
use vb_testkit::archive::Package;

use crate::fixture::{Fixture, channel, publisher, read_as_client};

#[test]
fn an_added_package_is_what_clients_find() {
    let fixture = Fixture::new();
    let package = fixture.package(&Package::new("whois", "1.0"));
    let development = channel("development");
    let added = fixture
        .repository
        .add(&development, "main", std::slice::from_ref(&package), &publisher(1_700_000_000))
        .unwrap();
    assert!(matches!(added, Changed::To { number: 0, .. }), "{added:?}");
    assert_eq!(read_as_client(&fixture.root(), "bookworm-development"), ["whois 1.0"]);
    let again = fixture.repository.add(&development, "main", &[package], &publisher(1_700_000_100)).unwrap();
    assert_eq!(again, Changed::Nothing);
}

#[test]
fn another_package_of_the_same_name_and_version_is_refused_and_nothing_of_the_call_is_added() {
    let fixture = Fixture::new();
    let first = fixture.package(&Package::new("whois", "1.0"));
    fixture.repository.add(&channel("development"), "main", &[first], &publisher(1_700_000_000)).unwrap();
    let other = fixture.package(&Package::new("whois", "1.0").file("./usr/share/other", "other", 0o644));
    let beside = fixture.package(&Package::new("beside", "1.0"));
    let packages = [beside, other.clone()];
    let refused = fixture.repository.add(&channel("development"), "main", &packages, &publisher(1_700_000_000));
    assert!(matches!(refused, Err(AddError::Change(ChangeError::Conflict { .. }))), "{refused:?}");
    assert_eq!(read_as_client(&fixture.root(), "bookworm-development"), ["whois 1.0"]);
    fixture.repository.add(&channel("staging"), "main", &[other], &publisher(1_700_000_000)).unwrap();
    assert_eq!(read_as_client(&fixture.root(), "bookworm-staging"), ["whois 1.0"]);
}
