#!/bin/bash
# What an administrator of an el9 machine does with an .rpm of vb: dnf makes a system out of the archive in /archive, and
# installs the package of /packages into it, with all that it requires.

set -eu

. /scripts/steps.sh

cat > /dnf.conf <<END
[main]
reposdir=/tmp/none
varsdir=/tmp/none
cachedir=/tmp/cache
persistdir=/tmp/persist
logdir=/tmp/log
module_platform_id=platform:el9
install_weak_deps=0
localpkg_gpgcheck=0
END
for repository in BaseOS AppStream; do
    printf '[%s]\nname=%s\nbaseurl=file:///archive/%s/x86_64/os\ngpgcheck=0\nrepo_gpgcheck=1\ngpgkey=file:///key.asc\n' \
        "$repository" "$repository" "$repository" >> /dnf.conf
done

run_dnf() {
    dnf --quiet --assumeyes --config=/dnf.conf --installroot=/system --releasever=9 --disableplugin='*' "$@" ||
        fail "dnf $*"
}

in_system() {
    chroot /system "$@"
}

# check_scriptlets NAME-AND-ARGUMENT...: these have run since the last look, in this order.
check_scriptlets() {
    printf '%s\n' "$@" | diff - /system/var/log/whois-scripts || fail "scriptlets"
    rm /system/var/log/whois-scripts
}

# check_version VERSION: that one is installed as it was packed, and runs.
check_version() {
    found=$(rpm --root /system --query --queryformat '%{VERSION}' vrmd-whois)
    [ "$found" = "$1" ] || fail "version $found is installed, not $1"
    changed=$(rpm --root /system --verify vrmd-whois || true)
    [ -z "$changed" ] || fail "files differ from the package: $changed"
    in_system /vrmd/whois/bin/python -c 'import whois_server.protocol, psycopg2, twisted; print(psycopg2.__libpq_version__)' ||
        fail "it does not run"
}

step "install"
mkdir -p /system/var/log
run_dnf install filesystem coreutils-single bash
run_dnf install /packages/vrmd-whois-1.0.0-*.rpm
for package in python3.11 libpq runit; do
    run_dnf list --installed "$package" || fail "$package did not come with it"
done
check_version 1.0.0
check_scriptlets "1.0.0 pre 1" "1.0.0 post 1"

step "upgrade"
run_dnf upgrade /packages/vrmd-whois-1.0.1-*.rpm
check_version 1.0.1
check_scriptlets "1.0.1 pre 2" "1.0.1 post 2" "1.0.0 preun 1" "1.0.0 postun 1"

step "downgrade"
run_dnf downgrade /packages/vrmd-whois-1.0.0-*.rpm
check_version 1.0.0
check_scriptlets "1.0.0 pre 2" "1.0.0 post 2" "1.0.1 preun 1" "1.0.1 postun 1"

step "erase"
run_dnf remove vrmd-whois
[ ! -e /system/vrmd ] || fail "something is left: $(find /system/vrmd)"
check_scriptlets "1.0.0 preun 0" "1.0.0 postun 0"

echo "== done"
