#!/bin/sh
# What an administrator does with the package of a Django application, on a server that has apt, a browser for the test,
# and no Python. /debian is a mirror of everything that the recipe's lock names, compilers too; /company is the company's
# repository; /run/postgresql is the database's socket. What the browser saw is written into /report.

set -eu

log=/var/log/supervisor/somedjangoapp.log

. /scripts/steps.sh

tell() {
    echo "-- status of the service"
    supervisorctl status || true
    echo "-- end of its log"
    tail -n 40 "$log" || true
}

is_listening() {
    python3.11 -c 'import socket; socket.create_connection(("localhost", 8000)).close()' 2> /tmp/refused
}

is_running() {
    supervisorctl status somedjangoapp | grep -qF RUNNING
}

# Every file is as it was packed, and there is no other one below /vrmd.
check_files() {
    dpkg --verify vrmd-somedjangoapp > /tmp/differences
    [ ! -s /tmp/differences ] || fail "files differ: $(cat /tmp/differences)"
    dpkg --listfiles vrmd-somedjangoapp | grep '^/vrmd' | sort > /tmp/listed
    find /vrmd | sort | diff /tmp/listed - || fail "files of nobody's are below /vrmd"
}

# Names of files that the package could have left, wherever they are.
traces() {
    find / -xdev \( -path '*vrmd*' -o -path '*somedjangoapp*' \) -print | sort
}

check_tools() {
    for tool in "$@"; do
        ! command -v "$tool" || fail "$tool is there $when"
    done
}

step "a clean server"
when="before anything is installed"
check_tools python python3 python3.11 gunicorn supervisord gcc node lessc java yui-compressor msgfmt
echo 'APT::Sandbox::User "root";' > /etc/apt/apt.conf.d/sandbox
echo 'deb [signed-by=/debian.asc] file:/debian bookworm main' > /etc/apt/sources.list.d/debian.list
echo 'deb [signed-by=/company/key.asc] file:/company bookworm main' > /etc/apt/sources.list.d/company.list
# Services are started below, where a server's init would start them.
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
mkdir /etc/somedjangoapp
cat > /etc/somedjangoapp/environment << 'SH'
DJANGO_SECRET_KEY='a secret that only this server has'
PGHOST=/run/postgresql
SH
traces > /tmp/before
apt-get update

step "install"
apt-get install -y vrmd-somedjangoapp
check_files
when="on the server"
check_tools gcc node lessc java yui-compressor msgfmt
dpkg-query --show --showformat='${Conffiles}' vrmd-somedjangoapp | grep -qF /etc/supervisor/conf.d/somedjangoapp.conf \
    || fail "the service's configuration is no conffile"

step "set up the database"
wait_for test -e /run/postgresql/ready
cd /vrmd/somedjangoapp/somedjangoapp
./configured python manage.py check --deploy --fail-level ERROR
./configured python manage.py migrate --no-input
./configured python manage.py loaddata huts/huts.json

step "serve"
supervisord --configuration /etc/supervisor/supervisord.conf
wait_for is_running
wait_for is_listening

step "visit"
python3.11 /scripts/browser.py http://localhost:8000 /report || fail "the browser did not get what it wanted"
check_files

step "remove"
apt-get remove -y vrmd-somedjangoapp
! is_listening || fail "something still answers"
[ ! -e /vrmd ] || fail "/vrmd is left: $(find /vrmd)"
[ -e /etc/supervisor/conf.d/somedjangoapp.conf ] || fail "the conffile is gone before the purge"
[ -e "$log" ] || fail "the log is gone before the purge"

step "purge"
apt-get purge -y vrmd-somedjangoapp
traces > /tmp/after
diff /tmp/before /tmp/after || fail "the purge left files"
supervisorctl shutdown

step "done"
