#!/bin/sh
# Each transition of a package that has a service: transitions.sh deb|rpm runit|supervisor|systemd.
# /packages/answer-1 and so on hold one package each. The service answers on a port with its version, its process id and
# its configuration; a client that is refused has found it stopped.

set -eu

format=$1
manager=$2
config=/etc/answer/answer.conf

. /scripts/steps.sh

tell() {
    case "$manager" in
        runit) sv status /srv/answer/etc/services/answer || true; tail -n 20 /var/log/answer/current || true ;;
        supervisor) supervisorctl status || true; tail -n 20 /var/log/supervisor/*.log || true ;;
        systemd) cat /run/calls /run/answer.log || true ;;
    esac
}

ask() {
    perl -MIO::Socket::INET -e \
        'my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]") or exit 1; print <$s>' "$1" 2>/dev/null || echo closed
}

answers() {
    ask 4343 | grep -Eq "^$1 [0-9]+ $2\$"
}

is_closed() {
    [ "$(ask 4343)" = closed ]
}

# is_at_rest NAME: its manager has ended it, and has nothing more to do for it.
is_at_rest() {
    case "$manager" in
        runit)
            if runs "runsv $1"; then sv status "/srv/$1/etc/services/$1" | grep '^down: ' | grep -v 'want up'; fi
            ;;
        supervisor) supervisorctl status "$1" | grep -E '(STOPPED|no such process)' ;;
        systemd) ! systemctl is-active "$1.service" ;;
    esac > /dev/null 2>&1
}

# runs COMMAND: is there a process of it?
runs() {
    for process in /proc/[0-9]*; do
        if [ "$(tr '\0' ' ' 2>/dev/null < "$process/cmdline")" = "$1 " ]; then return; fi
    done
    return 1
}

# check_closed: it is stopped, and its manager leaves it so.
check_closed() {
    wait_for is_at_rest answer
    is_closed || fail "it still answers, or was started again"
}

process_id() {
    ask 4343 | cut -d' ' -f2
}

install_package() {
    case "$format" in
        deb) dpkg --force-confold --install "/packages/$1/"*.deb ;;
        rpm) rpm --upgrade --oldpackage --nodeps "/packages/$1/"*.rpm ;;
    esac
}

remove_package() {
    case "$format" in
        deb) dpkg --remove "$1" ;;
        rpm) rpm --erase "$1" ;;
    esac
}

installed_version() {
    case "$format" in
        deb) dpkg-query --show --showformat='${db:Status-Status} ${Version}' vrmd-answer 2>/dev/null || echo none ;;
        rpm) rpm --query --queryformat 'installed %{VERSION}\n' vrmd-answer | grep -v 'not installed' || echo none ;;
    esac
}

# check_version VERSION: that one is installed, and the database is clean.
check_version() {
    [ "$(installed_version)" = "installed $1" ] || fail "there is: $(installed_version), not $1"
    case "$format" in
        deb)
            [ -z "$(dpkg --audit)" ] || fail "$(dpkg --audit)"
            dpkg --verify vrmd-answer | grep -v " c /" > /tmp/changed || true
            ;;
        rpm) rpm --verify --nodeps --nouser --nogroup vrmd-answer | grep -v " c /" > /tmp/changed || true ;;
    esac
    [ ! -s /tmp/changed ] || fail "files differ: $(cat /tmp/changed)"
}

start_by_hand() {
    case "$manager" in
        runit) sv start /srv/answer/etc/services/answer ;;
        supervisor) supervisorctl start answer ;;
        systemd) systemctl start answer.service ;;
    esac
}

stop_by_hand() {
    case "$manager" in
        runit) sv stop /srv/answer/etc/services/answer ;;
        supervisor) supervisorctl stop answer ;;
        systemd) systemctl stop answer.service ;;
    esac
}

# What an old version's script does.
cat > /usr/bin/stop-answer << END
#!/bin/sh
case $manager in
    runit) sv stop /srv/answer/etc/services/answer ;;
    supervisor) supervisorctl stop answer ;;
    systemd) systemctl stop answer.service ;;
esac
END
chmod 755 /usr/bin/stop-answer

# Keeps what it is asked, and runs the unit's command where systemd would.
cat > /tmp/systemctl << 'END'
#!/bin/sh
echo "systemctl $*" >> /run/calls
verb= unit=
for word in "$@"; do
    case "$word" in
        -*) ;;
        *) if [ -z "$verb" ]; then verb=$word; else unit=${word%.service}; fi ;;
    esac
done
is_running() {
    [ -e "/run/$unit.pid" ] && kill -0 "$(cat "/run/$unit.pid")" 2>/dev/null
}
stop() {
    ! is_running || kill "$(cat "/run/$unit.pid")"
    while is_running; do sleep 0.1; done
    rm -f "/run/$unit.pid"
}
start() {
    is_running && return
    command=$(sed -n 's/^ExecStart=//p' "/lib/systemd/system/$unit.service")
    [ -n "$command" ] || exit 1
    setsid $command > "/run/$unit.log" 2>&1 < /dev/null &
    echo $! > "/run/$unit.pid"
}
link=/etc/systemd/system/multi-user.target.wants/$unit.service
case "$verb" in
    is-active) is_running ;;
    is-enabled) if [ -L "$link" ]; then echo enabled; else echo disabled; exit 1; fi ;;
    enable|preset) mkdir -p "${link%/*}"; ln -sf "/lib/systemd/system/$unit.service" "$link" ;;
    disable) rm -f "$link" ;;
    start) start ;;
    stop) stop ;;
    restart) stop; start ;;
    daemon-reload|show|daemon-reexec) ;;
    *) exit 1 ;;
esac
END
chmod 755 /tmp/systemctl

start_manager() {
    case "$manager" in
        runit)
            runsvdir -P /etc/service &
            ;;
        supervisor)
            supervisord --configuration /etc/supervisor/supervisord.conf
            wait_for supervisorctl pid
            ;;
        systemd)
            mkdir -p /run/systemd/system
            start_by_hand
            ;;
    esac
}

step "a machine"
rm -f /usr/sbin/policy-rc.d
# runit makes what the link leads to when the machine boots.
mkdir -p "$(readlink -m /etc/service)"
ln -sf /tmp/systemctl /usr/bin/systemctl
if [ "$format" = rpm ]; then
    # Red Hat's machines do not have these.
    rm -f /usr/bin/deb-systemd-helper /usr/bin/deb-systemd-invoke
    mkdir -p /usr/lib/sysimage
    rpm --initdb
fi

step "install without a service manager"
install_package answer-1
check_version 1
getent passwd answer | grep -q ':/srv/answer:/bin/false$' || fail "the user is: $(getent passwd answer)"
id -nG answer | tr ' ' '\n' | grep -qx adm || fail "the user is not in its groups: $(id answer)"
[ "$(stat -c %a /var/lib/answer)" = 750 ] || fail "the directory is not as declared"
[ "$(stat -c %a $config)" = 640 ] || fail "the configuration is not as declared"
is_closed || fail "it was started without a manager"
! grep -q start /run/calls 2>/dev/null || fail "$(cat /run/calls)"
if [ "$manager" = systemd ]; then
    [ -L /etc/systemd/system/multi-user.target.wants/answer.service ] || fail "the unit is not enabled"
    SYSTEMD_OFFLINE=1 systemd-analyze verify --man=no /lib/systemd/system/answer.service 2>/tmp/verify || true
    ! grep -F answer.service /tmp/verify || fail "systemd does not like the unit"
fi

step "the manager starts, and with it the service"
start_manager
wait_for answers 1 first

step "upgrade"
first=$(process_id)
install_package answer-2
check_version 2
wait_for answers 2 second
[ "$(process_id)" != "$first" ] || fail "it was not restarted"

step "downgrade"
install_package answer-1
check_version 1
wait_for answers 1 first

step "upgrade with an edited configuration, which stays"
echo edited > "$config"
install_package answer-2
check_version 2
wait_for answers 2 edited
case "$format" in
    deb) grep -qx second "$config.dpkg-dist" || fail "the package's own configuration is not beside it" ;;
    rpm) grep -qx second "$config.rpmnew" || fail "the package's own configuration is not beside it" ;;
esac

if [ "$format" = deb ]; then
    step "upgrade with an edited configuration, and nobody to ask"
    dpkg --install /packages/answer-4/*.deb < /dev/null && fail "dpkg did not ask" || true
    wait_for answers 2 edited
    dpkg --force-confold --configure -a
    check_version 4
    wait_for answers 4 edited
    install_package answer-2
    wait_for answers 2 edited
fi

step "a service that was stopped by hand stays stopped"
stop_by_hand
wait_for is_closed
install_package answer-4
check_version 4
check_closed
start_by_hand
wait_for answers 4 edited

step "a version whose own script stops the service leaves it running"
install_package answer-2.5
wait_for answers 2.5 edited
install_package answer-4
check_version 4
wait_for answers 4 edited

step "a second package of the workspace"
install_package other-1
wait_for answers 4 edited
other() {
    ask 4344 | grep -q other
}
if [ "$manager" = systemd ]; then systemctl start other.service; fi
wait_for other

step "an upgrade that fails before the files are there"
before=$(process_id)
install_package answer-3.1 && fail "it did not fail" || true
check_version 4
wait_for answers 4 edited
[ "$(process_id)" = "$before" ] || fail "it was restarted for nothing"

step "an upgrade that fails after the files are there"
case "$format" in
    deb)
        install_package answer-3.2 && fail "it did not fail" || true
        wait_for answers 3.2 edited
        [ "$(installed_version)" = "half-configured 3.2" ] || fail "there is: $(installed_version)"
        ;;
    rpm)
        # rpm counts that as a warning.
        install_package answer-3.2 || true
        check_version 3.2
        wait_for answers 3.2 edited
        ;;
esac
install_package answer-4
check_version 4
wait_for answers 4 edited

step "an upgrade from a version whose script fails before its removal"
install_package answer-3.3
wait_for answers 3.3 edited
case "$format" in
    deb) install_package answer-4 ;;
    rpm)
        # The old version stays in the database, and a new one is beside it: the administrator ends that.
        install_package answer-4 || true
        if rpm --query vrmd-answer-3.3; then rpm --erase --noscripts vrmd-answer-3.3; fi
        ;;
esac
check_version 4
wait_for answers 4 edited

step "an upgrade from a version whose script fails after its removal"
install_package answer-3.4
wait_for answers 3.4 edited
install_package answer-4 || [ "$format" = rpm ] || fail "the new version did not take over"
check_version 4
wait_for answers 4 edited

step "remove"
remove_package vrmd-answer
check_closed
[ ! -e /srv/answer ] || fail "files are left: $(find /srv/answer)"
[ ! -L /etc/service/answer ] && [ ! -L /etc/supervisor/conf.d/answer.conf ] || fail "a manager still knows it"
[ -d /var/lib/answer ] || fail "the data went with the program"
getent passwd answer > /dev/null || fail "the user went with the program"
wait_for other
case "$format" in
    deb) grep -qx edited "$config" || fail "the configuration is gone" ;;
    rpm) grep -qx edited "$config.rpmsave" || fail "the configuration is gone" ;;
esac

step "install again"
install_package answer-4
check_version 4
case "$format" in
    deb) wait_for answers 4 edited ;;
    rpm) wait_for answers 4 fourth ;;
esac

step "purge, or erase"
case "$format" in
    deb)
        dpkg --purge vrmd-answer
        for path in "$config" /var/lib/answer /var/log/answer /etc/systemd/system/multi-user.target.wants/answer.service; do
            [ ! -e "$path" ] && [ ! -L "$path" ] || fail "$path is left"
        done
        ;;
    rpm) remove_package vrmd-answer ;;
esac
[ "$(installed_version)" = none ] || fail "there is: $(installed_version)"
check_closed
wait_for other
[ ! -e /run/vb/vrmd-answer ] || fail "the state of upgrades is left"

step "the last package goes, too"
remove_package vrmd-other
wait_for is_at_rest other
[ "$(ask 4344)" = closed ] || fail "it still answers"

step "done"
