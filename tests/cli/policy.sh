#!/bin/sh
# What an administrator does with the package in /packages, on a server of the release that it was built for:
# policy.sh VERSION-OF-DPKG VERSION-OF-PYTHON. What /later holds is for another release.

set -eu

fail() {
    echo "FAILED: $*"
    exit 1
}

wants=/etc/systemd/system/multi-user.target.wants/greeter.service

dpkg --version | grep -q " version $1\." || fail "this is $(dpkg --version | head -n 1)"
dpkg --install /packages/*.deb
said=$(cd /vrmd/greeter/greeter && /vrmd/greeter/bin/python -B -m greeter)
[ "$said" = "hello from Python $2" ] || fail "it said: $said"
[ -e "$(readlink -f "$wants")" ] || fail "its unit is not enabled"
dpkg --verify vrmd-greeter > /tmp/differences
[ ! -s /tmp/differences ] || fail "files differ: $(cat /tmp/differences)"
[ -z "$(dpkg --audit)" ] || fail "$(dpkg --audit)"

dpkg --remove vrmd-greeter
[ ! -e /vrmd ] || fail "something is left: $(find /vrmd)"
dpkg --purge vrmd-greeter
[ ! -L "$wants" ] || fail "its unit is still enabled"
! dpkg-query --show vrmd-greeter || fail "it is still known"

if dpkg --unpack /later/*.deb > /tmp/told 2>&1; then
    echo "-- it can read what is for another release"
else
    grep -o "uses unknown compression for member .*" /tmp/told || fail "$(cat /tmp/told)"
fi
echo "== done"
