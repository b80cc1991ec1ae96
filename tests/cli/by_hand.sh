#!/bin/sh
# An administrator's server on which whois runs as it was packaged by hand, /packages/former.deb, comes to the package whose
# service is declared, /packages/declared.deb, and goes back. Both answer; the former one says so.

set -eu

. /scripts/steps.sh

former=/vrmd/whois/whois/runit/whois
declared=/vrmd/whois/etc/services/whois

tell() {
    sv status "$former" "$declared" || true
    ls -l /etc/service/
    tail -n 20 /var/log/whois/current || true
}

ask() {
    perl -MIO::Socket::INET -e '
        my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:4343") or exit 1;
        print $s "a..b\r\n"; print <$s>' 2>/dev/null || echo closed
}

answers() {
    [ "$(ask | tr -d '\r')" = "$1" ]
}

# How many processes have that in their command?
count() {
    for process in /proc/[0-9]*; do
        tr '\0' ' ' < "$process/cmdline" && echo
    done 2>/dev/null | grep -c "$1" || true
}

is_alone() {
    [ "$(count '[w]hois_server --config')" = 1 ] && [ "$(count '^runsv [w]hois')" = 1 ] && [ "$(count '^svlogd /var/log/[w]hois')" = 1 ]
}

# check VERSION DIRECTORY: that version is installed as it was packed, and runs alone, out of that directory.
check() {
    [ "$(dpkg-query --show --showformat='${Version}' vrmd-whois)" = "$1" ] || fail "another version is installed"
    [ "$(readlink /etc/service/whois)" = "$2" ] || fail "runsvdir knows $(readlink /etc/service/whois)"
    wait_for is_alone
    sv status "$2" | grep -q '^run: .*; run: log: ' || fail "it does not run out of $2"
    dpkg --verify vrmd-whois | grep -v ' c /' > /tmp/differences || true
    [ ! -s /tmp/differences ] || fail "files differ: $(cat /tmp/differences)"
    dpkg --listfiles vrmd-whois | grep '^/vrmd' | sort > /tmp/listed
    find /vrmd | sort | diff /tmp/listed - || fail "files of nobody's are below /vrmd"
}

step "whois as it was packaged by hand"
mkdir -p "$(readlink -m /etc/service)" /etc/whois
cat > /etc/whois/production.yml << 'YAML'
listen: { host: 127.0.0.1, port: 4343 }
database: { dsn: host=/run/postgresql dbname=whois user=whois }
YAML
dpkg --install /packages/former.deb
runsvdir -P /etc/service &
wait_for answers 'Malformed query, by hand.'
check 0.9.0 "$former"

step "upgrade"
dpkg --install /packages/declared.deb
wait_for answers 'Malformed query.'
check 1.0.0 "$declared"
[ ! -e "$former" ] || fail "$(find "$former")"

step "back"
dpkg --install /packages/former.deb
wait_for answers 'Malformed query, by hand.'
check 0.9.0 "$former"

step "upgrade what somebody has stopped"
sv stop "$former"
wait_for answers closed
dpkg --install /packages/declared.deb
is_down_in_its_directory() {
    sv status "$declared" | grep -q '^down: ' && [ "$(count '^runsv [w]hois')" = 1 ]
}
wait_for is_down_in_its_directory
answers closed || fail "it was started"
dpkg --install /packages/former.deb
wait_for answers 'Malformed query, by hand.'

step "upgrade what somebody has disabled"
rm /etc/service/whois
# Its port is closed before it has ended, and what has not is still one that runs.
is_not_supervised() {
    [ "$(count '^runsv [w]hois')" = 0 ]
}
wait_for is_not_supervised
dpkg --install /packages/declared.deb
[ ! -e /etc/service/whois ] && answers closed || fail "it was enabled"
dpkg --install /packages/former.deb
wait_for answers 'Malformed query, by hand.'

step "upgrade again, and remove"
dpkg --install /packages/declared.deb
wait_for answers 'Malformed query.'
check 1.0.0 "$declared"
dpkg --remove vrmd-whois
answers closed || fail "something still answers"
[ ! -e /vrmd ] || fail "files are left: $(find /vrmd)"
has_ended() {
    [ "$(count '[w]hois')" = 0 ]
}
wait_for has_ended

step "done"
