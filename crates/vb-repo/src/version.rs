//! Which of two versions is later, by the rules of their format.

use std::cmp::Ordering;

use debversion::Version;
use rpm_version::Evr;

use crate::record::Format;

/// Compares two versions as dpkg or rpm does. What is no version is earlier than everything.
pub fn compare_versions(format: Format, one: &str, other: &str) -> Ordering {
    match format {
        Format::Deb => match (one.parse::<Version>(), other.parse::<Version>()) {
            (Ok(one), Ok(other)) => one.cmp(&other),
            (one, other) => one.is_ok().cmp(&other.is_ok()),
        },
        Format::Rpm => Evr::parse(one).cmp(&Evr::parse(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_their_package_manager_does() {
        for (format, earlier, later) in [
            (Format::Deb, "1.0~rc1", "1.0"),
            (Format::Deb, "9.0", "10.0"),
            (Format::Deb, "2.0", "1:1.0"),
            (Format::Rpm, "1.0~rc1-1", "1.0-1"),
            (Format::Rpm, "1.0-9", "1.0-10"),
            (Format::Rpm, "2.0-1", "1:1.0-1"),
        ] {
            assert_eq!(compare_versions(format, earlier, later), Ordering::Less, "{earlier} {later}");
            assert_eq!(compare_versions(format, later, earlier), Ordering::Greater, "{earlier} {later}");
        }
    }
}
