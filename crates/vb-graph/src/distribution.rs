//! Which directories are the distribution's, and so no package's.
//!
//! rpm shares a directory between packages without complaint, but one that the distribution owns must not be in a
//! package: rpm would set its mode and owner, and remove it with the last package. A package of either format must not
//! declare one as its own, which a purge would remove. All directories of the Filesystem Hierarchy Standard, those that
//! the base system has for configuration and units, and those of the package managers are the distribution's.

const DISTRIBUTION: &[&str] = &[
    "bin",
    "boot",
    "dev",
    "etc",
    "etc/alternatives",
    "etc/apt",
    "etc/apt/sources.list.d",
    "etc/bash_completion.d",
    "etc/cron.d",
    "etc/cron.daily",
    "etc/cron.hourly",
    "etc/cron.monthly",
    "etc/cron.weekly",
    "etc/default",
    "etc/init.d",
    "etc/ld.so.conf.d",
    "etc/logrotate.d",
    "etc/modprobe.d",
    "etc/modules-load.d",
    "etc/nginx",
    "etc/nginx/conf.d",
    "etc/pam.d",
    "etc/pki",
    "etc/profile.d",
    "etc/rsyslog.d",
    "etc/runit",
    "etc/security",
    "etc/service",
    "etc/skel",
    "etc/ssl",
    "etc/sudoers.d",
    "etc/supervisor",
    "etc/supervisor/conf.d",
    "etc/supervisord.d",
    "etc/sv",
    "etc/sysconfig",
    "etc/sysctl.d",
    "etc/systemd",
    "etc/systemd/system",
    "etc/systemd/user",
    "etc/sysusers.d",
    "etc/tmpfiles.d",
    "etc/udev",
    "etc/udev/rules.d",
    "etc/xdg",
    "etc/yum.repos.d",
    "home",
    "lib",
    "lib/systemd",
    "lib/systemd/system",
    "lib/udev",
    "lib/udev/rules.d",
    "lib64",
    "media",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "sbin",
    "srv",
    "sys",
    "tmp",
    "usr",
    "usr/bin",
    "usr/games",
    "usr/include",
    "usr/lib",
    "usr/lib/modules-load.d",
    "usr/lib/sysctl.d",
    "usr/lib/systemd",
    "usr/lib/systemd/system",
    "usr/lib/systemd/user",
    "usr/lib/sysusers.d",
    "usr/lib/tmpfiles.d",
    "usr/lib/udev",
    "usr/lib/udev/rules.d",
    "usr/lib64",
    "usr/libexec",
    "usr/local",
    "usr/local/bin",
    "usr/local/etc",
    "usr/local/include",
    "usr/local/lib",
    "usr/local/lib64",
    "usr/local/libexec",
    "usr/local/sbin",
    "usr/local/share",
    "usr/local/src",
    "usr/sbin",
    "usr/share",
    "usr/share/applications",
    "usr/share/bash-completion",
    "usr/share/bash-completion/completions",
    "usr/share/doc",
    "usr/share/icons",
    "usr/share/info",
    "usr/share/licenses",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/misc",
    "usr/share/zoneinfo",
    "usr/src",
    "var",
    "var/backups",
    "var/cache",
    "var/cache/apt",
    "var/cache/dnf",
    "var/lib",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/lib/rpm",
    "var/lib/systemd",
    "var/local",
    "var/lock",
    "var/log",
    "var/log/journal",
    "var/log/supervisor",
    "var/mail",
    "var/opt",
    "var/run",
    "var/spool",
    "var/spool/cron",
    "var/tmp",
    "var/www",
    "var/www/html",
];

/// Is a directory, given without a leading slash, the distribution's own?
pub fn is_of_distribution(path: &str) -> bool {
    DISTRIBUTION.binary_search(&path).is_ok() || is_of_manual(path)
}

/// The sections of the manual: `usr/share/man/man1`.
fn is_of_manual(path: &str) -> bool {
    path.strip_prefix("usr/share/man/man").is_some_and(|section| section.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directories_of_the_distribution_are_known() {
        assert!(DISTRIBUTION.is_sorted());
        for path in ["etc", "opt", "usr/lib/systemd/system", "usr/share/man/man8", "var/log", "var/www"] {
            assert!(is_of_distribution(path), "{path}");
        }
        for path in ["vrmd", "vrmd/whois", "etc/whois", "opt/company", "usr/share/doc/vrmd-whois", "var/log/whois"] {
            assert!(!is_of_distribution(path), "{path}");
        }
    }
}
