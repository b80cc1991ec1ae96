//! The script that configures an unpacked root.

/// Returns the `sh` script that brings an unpacked root into use, to be run inside it as uid 0.
///
/// Its first argument is a directory with the packages' files. The root's own rpm installs them without their files,
/// which are there: it takes every path for one that another machine shares. So scriptlets, triggers and file triggers run,
/// in rpm's order, by rpm's interpreters; `--justdb` would run none. Its database is
/// not kept: it holds the time, and pages in an order of its own. It needs what Debian's script needs of a sandbox, and a
/// `/tmp` that is not kept.
pub fn configure_script() -> &'static str {
    SCRIPT
}

const SCRIPT: &str = r#"set -u
umask 022
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TZ=UTC LC_ALL=C.UTF-8
export SOURCE_DATE_EPOCH=315532800
cd /
if [ -x /usr/bin/rpm ]; then
    there=
    for path in /*; do there=$there:$path; done
    rpm --define "_netsharedpath ${there#:}" --dbpath /tmp/vb-rpmdb --define '_dbpath /tmp/vb-rpmdb' --define '_pkgverify_level none' \
        --upgrade --force --nodeps --nosignature --nodigest \
        --ignorearch --ignoreos --ignoresize "$1"/*.rpm || exit
fi
ldconfig=$(command -v ldconfig) || exit 0
"$ldconfig"
"#;
