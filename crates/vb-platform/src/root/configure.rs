//! The scripts that bring an unpacked root into use: with its packages' own scripts, or without.

/// Returns the `sh` script that brings an unpacked root into use, to be run inside it as uid 0.
///
/// It needs `/proc`, a `/dev` whose own mode is 755 (in a sticky `/dev`, `fs.protected_regular` forbids root in a user
/// namespace to write `/dev/null`), and a sandbox that answers changes of owner with success. Its exit code is zero only
/// if every package is configured.
pub fn configure_script() -> &'static str {
    SCRIPT
}

// `ischroot` answers yes, as in every root that is being made: libc6 would ask an init to start again, and wait a second.
// No `--force-depends`: with it dpkg would run scripts before the interpreters that they need are configured.
const SCRIPT: &str = r#"set -u
umask 022
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TZ=UTC LC_ALL=C.UTF-8
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true DEBCONF_NOWARNINGS=yes
export SOURCE_DATE_EPOCH=315532800
mkdir /tmp/vb-answers && printf '#!/bin/sh\nexit 0\n' >/tmp/vb-answers/ischroot || exit
chmod 755 /tmp/vb-answers/ischroot && export PATH=/tmp/vb-answers:$PATH
cd /
dpkg --force-confold --force-unsafe-io --configure --pending || exit
problems=$(dpkg --audit) || exit
if [ -n "$problems" ]; then
    printf '%s\n' "$problems" >&2
    exit 1
fi
"#;

/// Returns the `sh` script that brings an unpacked root into use without running a maintainer script, inside it as uid 0.
///
/// It does what Python, compilers, node, Java and gettext need of these scripts: the alternatives that have one answer, the
/// certificates in one file, the configuration of the C library, and the loader's cache. dpkg goes on to count the packages
/// as unpacked. Whatever else a script makes (users, font and icon caches, compiled schemas, alternatives of libraries) is
/// not there.
pub fn unpacked_script() -> &'static str {
    UNPACKED
}

const UNPACKED: &str = r#"set -eu
umask 022
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TZ=UTC LC_ALL=C.UTF-8
cd /
# A name that some package ships itself, or that an earlier line has made, stays.
alternative() {
    [ -e "$1" ] || [ ! -x "$2" ] || update-alternatives --quiet --install "$1" "${1##*/}" "$2" 10
}
for awk in gawk mawk original-awk; do
    alternative /usr/bin/awk "/usr/bin/$awk"
    alternative /usr/bin/nawk "/usr/bin/$awk"
done
alternative /usr/bin/cc /usr/bin/gcc
alternative /usr/bin/c++ /usr/bin/g++
alternative /usr/bin/which /usr/bin/which.debianutils
alternative /usr/bin/pager /usr/bin/more
alternative /usr/bin/js /usr/bin/nodejs
for java in /usr/lib/jvm/java-*/bin/java; do
    alternative /usr/bin/java "$java"
done
for file in /usr/share/libc-bin/nsswitch.conf /usr/share/base-files/nsswitch.conf; do
    [ -e /etc/nsswitch.conf ] || [ ! -e "$file" ] || cp "$file" /etc/nsswitch.conf
done
if [ -d /usr/share/ca-certificates ]; then
    mkdir -p /etc/ssl/certs
    find /usr/share/ca-certificates -name '*.crt' | LC_ALL=C sort | xargs -r cat > /etc/ssl/certs/ca-certificates.crt
fi
ldconfig
"#;
