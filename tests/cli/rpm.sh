#!/bin/bash
# What an administrator does with an .rpm of vb, on a machine that has rpm and dnf.
# /packages/1 and /packages/2 hold the package in two versions. There is no distribution with repositories: one package
# stands for all that the machine has without rpm knowing of it, because the root was made of Debian's packages.

set -eu

one=$(echo /packages/1/*.rpm)
two=$(echo /packages/2/*.rpm)
config=/etc/whois/whois.example.yml

. /scripts/steps.sh

# dnf with the repository of this test and nothing of the machine's configuration.
run_dnf() {
    dnf --quiet --assumeyes --config=/dnf.conf --releasever=9 --disableplugin='*' "$@" || fail "dnf $*"
}

check_version() {
    version=$(rpm --query --queryformat '%{VERSION}' vrmd-whois)
    [ "$version" = "$1" ] || fail "version $version is installed, not $1"
    # Configuration files may differ; everything else is as it was packed.
    changed=$(rpm --verify vrmd-whois | grep -v " c /" || true)
    [ -z "$changed" ] || fail "files differ from the package: $changed"
}

step "rpm reads and verifies the packages"
rpm --checksig --verbose "$one" "$two"
for tag in requires provides scripts; do
    rpm --query --package --$tag "$one" > /tmp/$tag
done
grep -qx "vrmd-whois = 1.0.0-1" /tmp/provides || fail "it does not provide itself"
for needed in python3.11 adduser libpq5 runit "libpq.so.5()(64bit)" "libc.so.6(GLIBC_2.14)(64bit)" /bin/sh; do
    grep -qxF "$needed" /tmp/requires || fail "it does not require $needed"
done
grep -q "postinstall scriptlet (using /bin/sh):" /tmp/scripts || fail "it has no %post"
rpm --query --package --configfiles "$one" | grep -qx "$config" || fail "$config is no configuration file"
! rpm --query --package --list "$one" | grep -F .build-id || fail "it has links by build id"

step "it owns no directory of the distribution"
! rpm --query --package --list "$one" | grep -xE '/(etc|usr|usr/share|usr/share/licenses)' || fail "it does"

step "rpm's own generator finds the same libraries"
mkdir /tmp/tree
(cd /tmp/tree && rpm2cpio "$one" | cpio --quiet --extract --make-directories)
find /tmp/tree -type f | /usr/lib/rpm/elfdeps --requires | sort --unique > /tmp/generated
find /tmp/tree -type f -name '*.so*' -printf '%f\n' | sort --unique > /tmp/own
grep -vFf <(sed 's/$/(/' /tmp/own) /tmp/generated > /tmp/foreign || true
grep -F ".so." /tmp/requires > /tmp/told
grep -F "rtld(" /tmp/requires >> /tmp/told || true
diff <(sort --unique /tmp/told) /tmp/foreign || fail "the libraries differ"

step "a repository"
mkdir /tmp/repository
cp "$one" "$two" /tmp/repository
{
    printf 'Name: distribution\nVersion: 9\nRelease: 1\nSummary: what the machine has\nLicense: none\nBuildArch: noarch\n'
    grep -v '^rpmlib(' /tmp/requires | sed 's/^/Provides: /'
    printf '%%description\nWhat the machine has.\n%%files\n'
} > /tmp/distribution.spec
rpmbuild --quiet -bb --define '_topdir /tmp/build' --define '_rpmdir /tmp/repository' /tmp/distribution.spec
createrepo_c --quiet /tmp/repository
cat > /dnf.conf <<END
[main]
reposdir=/tmp/none
varsdir=/tmp/none
cachedir=/tmp/cache
persistdir=/tmp/persist
logdir=/tmp/log
module_platform_id=platform:el9
clean_requirements_on_remove=0
[company]
name=company
baseurl=file:///tmp/repository
gpgcheck=0
END

step "install"
run_dnf install distribution
run_dnf install vrmd-whois-1.0.0
check_version 1.0.0
grep -qx "post 1" /var/log/whois-scripts || fail "%post did not run"
/vrmd/whois/bin/python -c 'import whois_server.protocol, psycopg2, twisted; print(psycopg2.__libpq_version__)' || fail "it does not run"

step "upgrade"
echo "# edited" >> "$config"
run_dnf upgrade vrmd-whois
check_version 1.0.1
grep -qx "# edited" "$config" || fail "the edited configuration is lost"
[ -e "$config.rpmnew" ] || fail "the configuration of the package is not beside it"
grep -q "Nothing known of" /vrmd/whois/whois/whois_server/protocol.py || fail "the new code is not there"
grep -qx "preun 1" /var/log/whois-scripts || fail "%preun did not run"

step "downgrade"
run_dnf downgrade vrmd-whois
check_version 1.0.0
grep -q "No match for" /vrmd/whois/whois/whois_server/protocol.py || fail "the old code is not there"

step "erase"
run_dnf remove vrmd-whois
[ ! -e /vrmd ] || fail "something is left: $(find /vrmd)"
grep -qx "# edited" "$config.rpmsave" || fail "the edited configuration is not kept"
grep -qx "preun 0" /var/log/whois-scripts || fail "%preun did not run"

echo "== done"
