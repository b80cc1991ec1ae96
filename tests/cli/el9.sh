#!/bin/bash
# What an administrator of an el9 machine does with an .rpm of vb: dnf makes a system out of the archive in /archive, and
# installs the package of /packages into it, with all that it requires.

set -eu

step() {
    echo "== $*"
}

fail() {
    echo "FAILED: $*"
    exit 1
}

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

step "install"
mkdir -p /system/var/log
run_dnf install filesystem coreutils-single bash
run_dnf install /packages/*.rpm
for package in python3.11 libpq runit; do
    run_dnf list --installed "$package" || fail "$package did not come with it"
done

step "use"
in_system /vrmd/whois/bin/python -c 'import whois_server.protocol, psycopg2, twisted; print(psycopg2.__libpq_version__)' ||
    fail "it does not run"

step "erase"
run_dnf remove vrmd-whois
[ ! -e /system/vrmd ] || fail "something is left: $(find /system/vrmd)"
printf 'pre 1\npost 1\npreun 0\npostun 0\n' | diff - /system/var/log/whois-scripts || fail "scriptlets"

echo "== done"
