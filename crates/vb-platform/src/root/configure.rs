//! The script that configures an unpacked root.

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
