#!/bin/sh
# What an administrator does with a package of vb, on a server that has apt and a WHOIS client, and no Python.
# /debian is a mirror of the distribution. /company is the company's repository: first /companies/first, which has version
# 1.0.0, then /companies/second, which has 1.0.1 as well.

set -eu

service=/vrmd/whois/etc/services/whois
log=/var/log/whois/current

. /scripts/steps.sh

tell() {
    echo "-- status of the service"
    sv status "$service" || true
    echo "-- end of its log"
    tail -n 20 "$log" || true
}

ask() {
    whois -h 127.0.0.1 -p 4343 "$1" 2>&1 || true
}

answers() {
    ask "$1" | grep -qF "$2"
}

is_port_closed() {
    ask example.org | grep -qF "Connection refused"
}

check_answers() {
    wait_for answers example.org "Registrar: Example Registrar Ltd"
    answers nobody.example "$1" || fail "an unknown domain gave: $(ask nobody.example)"
}

process_id() {
    cat "$service/supervise/pid"
}

check_version() {
    version=$(dpkg-query --show --showformat='${Version}' vrmd-whois)
    [ "$version" = "$1" ] || fail "version $version is installed, not $1"
}

# Every file is as it was packed, and there is no other one below /vrmd.
check_files() {
    dpkg --verify vrmd-whois > /tmp/differences
    [ ! -s /tmp/differences ] || fail "files differ: $(cat /tmp/differences)"
    dpkg --listfiles vrmd-whois | sort > /tmp/listed
    find /vrmd | sort > /tmp/found
    grep '^/vrmd' /tmp/listed | diff - /tmp/found || fail "files of nobody's are below /vrmd"
}

# Names of files that the package could have left, wherever they are.
traces() {
    find / -xdev \( -path '*vrmd*' -o -path '*whois*' \) -print | sort
}

check_processes() {
    running=$(for process in /proc/[0-9]*; do tr '\0' ' ' < "$process/cmdline" && echo; done 2> /tmp/ended)
    ! echo "$running" | grep -E 'vrmd|whois_server|runsv whois|/var/log/whois' || fail "processes are left"
}

step "a clean server"
for tool in gcc cc python python3 python3.11 pip runsvdir; do
    ! command -v "$tool" || fail "$tool is there before anything is installed"
done
echo 'APT::Sandbox::User "root";' > /etc/apt/apt.conf.d/sandbox
echo 'deb [signed-by=/debian.asc] file:/debian bookworm main' > /etc/apt/sources.list.d/debian.list
echo 'deb [signed-by=/company/key.asc] file:/company bookworm main' > /etc/apt/sources.list.d/company.list
ln -s companies/first /company
mkdir /etc/whois
cat > /etc/whois/production.yml << 'YAML'
listen:
  host: 127.0.0.1
  port: 4343
database:
  dsn: host=/run/postgresql dbname=whois user=whois
YAML
traces > /tmp/before
apt-get update

step "install"
apt-get install -y vrmd-whois
check_version 1.0.0
check_files
! command -v gcc || fail "a compiler came with the package"
wait_for test -e /run/postgresql/ready
# What the server's init would start.
runsvdir -P /etc/service &
check_answers 'No match for "nobody.example".'
first=$(process_id)

step "the log has one JSON object per line"
wait_for grep -qF nobody.example "$log"
/vrmd/whois/bin/python -c 'import json, sys; [json.loads(line) for line in sys.stdin]' < "$log"

step "root writes no bytecode"
for module in whois_server.service yaml psycopg2 structlog twisted.internet.reactor; do
    (cd /vrmd/whois/whois && env -u PYTHONDONTWRITEBYTECODE /vrmd/whois/bin/python -c "import $module")
done
check_files

step "upgrade"
ln -sfn companies/second /company
apt-get update
apt-get install -y vrmd-whois
check_version 1.0.1
check_answers 'Nothing known of "nobody.example".'
second=$(process_id)
[ "$second" != "$first" ] || fail "the server was not restarted"
check_files

step "rollback"
apt-get install -y --allow-downgrades vrmd-whois=1.0.0
check_version 1.0.0
check_answers 'No match for "nobody.example".'
[ "$(process_id)" != "$second" ] || fail "the server was not restarted"
check_files

step "remove"
dpkg --listfiles vrmd-whois > /tmp/listed
apt-get remove -y vrmd-whois
is_port_closed || fail "something still answers: $(ask example.org)"
check_processes
while read -r path; do
    # The unit is below it, and it is a link of the distribution's.
    [ "$path" != /lib ] || continue
    if [ -L "$path" ] || [ -f "$path" ]; then fail "$path is left"; fi
done < /tmp/listed
[ ! -e /vrmd ] || fail "/vrmd is left: $(find /vrmd)"
[ -e "$log" ] || fail "the log is gone before the purge"

step "install again"
apt-get install -y vrmd-whois=1.0.0
check_answers 'No match for "nobody.example".'
check_files

step "purge"
apt-get purge -y vrmd-whois
is_port_closed || fail "something still answers: $(ask example.org)"
check_processes
traces > /tmp/after
diff /tmp/before /tmp/after || fail "the purge left files"

step "done"
