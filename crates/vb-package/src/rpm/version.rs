//! A Debian version in rpm's parts: epoch, version and release.

/// Which of two packages of a name is newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evr {
    /// `None` is 0, and stands nowhere.
    pub(crate) epoch: Option<u32>,
    pub(crate) version: String,
    pub(crate) release: String,
}

impl Evr {
    /// Divides a version that [`check_spec`](crate::fields::check_spec) has accepted.
    ///
    /// `~` and `+` mean the same in both worlds. The release of a version without a revision is 1. A `-` before the last
    /// one cannot be in an rpm version: it becomes `_`, which Debian versions do not have.
    pub(crate) fn of_debian(version: &str) -> Self {
        let (epoch, rest) = match version.split_once(':') {
            Some((epoch, rest)) => (epoch.parse().ok().filter(|epoch| *epoch != 0), rest),
            None => (None, version),
        };
        let (version, release) = rest.rsplit_once('-').unwrap_or((rest, "1"));
        Self { epoch, version: version.replace('-', "_"), release: release.to_owned() }
    }

    /// Returns `version-release`.
    pub(crate) fn without_epoch(&self) -> String {
        format!("{}-{}", self.version, self.release)
    }
}

/// The whole version, `[epoch:]version-release`.
impl std::fmt::Display for Evr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(epoch) = self.epoch {
            write!(f, "{epoch}:")?;
        }
        write!(f, "{}-{}", self.version, self.release)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_divided_as_rpm_has_them() {
        let table = [
            ("1.0.0", None, "1.0.0", "1"),
            ("1.0.0-1", None, "1.0.0", "1"),
            ("2:1.0~rc1+git1-1~deb12u1", Some(2), "1.0~rc1+git1", "1~deb12u1"),
            ("0:1.2-3", None, "1.2", "3"),
            ("1.0-beta-2", None, "1.0_beta", "2"),
        ];
        for (debian, epoch, version, release) in table {
            let expect = Evr { epoch, version: version.to_owned(), release: release.to_owned() };
            assert_eq!(Evr::of_debian(debian), expect, "{debian}");
        }
    }

    #[test]
    fn the_order_of_versions_is_debians() {
        let ascending =
            ["1.0~rc1-1", "1.0-1", "1.0-1+b1", "1.0-2~deb12u1", "1.0-2", "1.0+git1-1", "1.0.1-1", "1.10-1", "1:0.1-1"];
        for pair in ascending.windows(2) {
            let [older, newer] = [pair[0], pair[1]].map(|version| Evr::of_debian(version).to_string());
            assert!(rpm_version::Evr::parse(&older) < rpm_version::Evr::parse(&newer), "{older} {newer}");
        }
    }
}
