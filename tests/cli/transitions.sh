#!/bin/sh
# Each transition of a package that has a service: transitions.sh deb|rpm MANAGER PARTS PORT OTHER-PORT USERS.
# /packages/answer-1 and so on hold one package each. The service answers on a port with its version, its process id and
# its configuration; a client that is refused has found it stopped. The manager is runit, supervisor, systemd as the first
# process, or stand-in for a systemctl that pretends. Of the parts, "off" is what is done while no manager runs.

set -eu

format=$1
manager=$2
parts=$3
port=$4
other_port=$5
users=$6
config=/etc/answer/answer.conf

. /scripts/steps.sh

tell() {
    case "$manager" in
        runit) sv status /srv/answer/etc/services/answer || true; tail -n 20 /var/log/answer/current || true ;;
        supervisor) supervisorctl status || true; tail -n 20 /var/log/supervisor/*.log || true ;;
        systemd) systemctl status --no-pager --all answer.service other.service || true; journalctl --no-pager -n 60 || true ;;
        stand-in) cat /run/calls /run/answer.log || true ;;
    esac
}

ask() {
    perl -MIO::Socket::INET -e \
        'my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]") or exit 1; print <$s>' "$1" 2>/dev/null || echo closed
}

answers() {
    ask "$port" | grep -Eq "^$1 [0-9]+ $2\$"
}

is_closed() {
    [ "$(ask "$port")" = closed ]
}

# is_at_rest NAME: its manager has ended it, and has nothing more to do for it.
is_at_rest() {
    case "$manager" in
        runit)
            if runs "runsv $1"; then sv status "/srv/$1/etc/services/$1" | grep '^down: ' | grep -v 'want up'; fi
            ;;
        supervisor) supervisorctl status "$1" | grep -E '(STOPPED|no such process)' ;;
        systemd | stand-in) ! systemctl is-active "$1.service" ;;
    esac > /dev/null 2>&1
}

has_failed() {
    case "$manager" in
        runit) sv status /srv/answer/etc/services/answer | grep '^finish: ' ;;
        supervisor)
            # What ends after a second is one that ran. What cannot be executed fails however slow the machine is.
            chmod 644 /srv/answer/etc/services/answer/run
            supervisorctl status answer | grep FATAL
            ;;
        systemd) systemctl is-failed answer.service ;;
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

# check_process: it is whom its package says, may what it says, and no more. Users have to be real.
check_process() {
    [ "$users" = real ] || return 0
    process=/proc/$(process_id)
    user=$(id -u answer)
    grep -Eq "^Uid:([[:space:]]$user){4}\$" "$process/status" || fail "it runs as: $(grep Uid "$process/status")"
    for set in CapPrm CapEff CapBnd CapAmb; do
        # CAP_NET_BIND_SERVICE, the tenth.
        grep -q "^$set:.0000000000000400\$" "$process/status" || fail "it may: $(grep Cap "$process/status")"
    done
    grep -Eq '^Max open files +512 +512 ' "$process/limits" || fail "its limits: $(cat "$process/limits")"
    tr '\0' '\n' < "$process/environ" | grep -qx 'GREETING=a b' || fail "its environment is another"
    [ "$(readlink "$process/cwd")" = /srv/answer ] || fail "it is in $(readlink "$process/cwd")"
    [ "$(stat -c '%U:%G %a' /var/lib/answer)" = 'answer:answer 750' ] || fail "$(stat /var/lib/answer)"
    [ "$(stat -c '%U:%G %a' /etc/answer)" = 'root:answer 750' ] || fail "$(stat /etc/answer)"
    [ "$(stat -c '%U:%G %a' "$config")" = 'root:answer 640' ] || fail "$(stat "$config")"
}

# check_unit VERSION ENABLED: systemd knows that version's unit, it is as it was, and no unit has failed.
check_unit() {
    [ "$manager" = systemd ] || return 0
    [ "$(systemctl is-enabled answer.service)" = "$2" ] || fail "it is $(systemctl is-enabled answer.service), not $2"
    known=$(systemctl show --property Description --value answer.service)
    [ "$known" = "answer $1" ] || [ "$2" = masked ] || fail "systemd knows: $known, and not answer $1"
    [ -z "$(systemctl list-units --failed --plain --no-legend)" ] || fail "$(systemctl list-units --failed)"
}

# watch_port: from now on a client asks the service, again and again, and notes the longest time without an answer.
watch_port() {
    rm -f /run/watch.stop /run/watch.gap
    perl -MIO::Socket::INET -MTime::HiRes=time,sleep -e '
        my ($longest, $last) = (0, time);
        until (-e "/run/watch.stop") {
            my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]");
            if ($s && <$s>) {
                $longest = time - $last if time - $last > $longest;
                $last = time;
            }
            sleep 0.01;
        }
        open(my $f, ">", "/run/watch.new"); printf $f "%d\n", 1000 * $longest; close $f;
        rename "/run/watch.new", "/run/watch.gap"' "$port" &
}

# check_gap: the client has waited for an answer, and not for long.
check_gap() {
    touch /run/watch.stop
    wait_for test -e /run/watch.gap
    gap=$(cat /run/watch.gap)
    echo "without an answer: $gap ms"
    [ "$gap" -lt 15000 ] || fail "the service was away for $gap ms"
}

is_one_process() {
    [ "$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' | grep -o '/srv/answer/bin/serve ' | wc -l)" -eq 1 ]
}

check_by_hand_is_gone() {
    case "$manager" in
        runit) [ "$(readlink /etc/service/answer)" = /srv/answer/etc/services/answer ] ;;
        supervisor)
            # What somebody has edited is kept.
            case "$format" in
                deb) grep -qx '; edited' /etc/supervisor/conf.d/answer.conf.dpkg-old ;;
                rpm) grep -qx '; edited' /etc/supervisor/conf.d/answer.conf.rpmsave ;;
            esac || fail "$(ls /etc/supervisor/conf.d)"
            [ "$(readlink /etc/supervisor/conf.d/answer.conf)" = /srv/answer/etc/services/answer/supervisor.conf ]
            ;;
        systemd | stand-in) [ ! -e /etc/systemd/system/answer.service ] ;;
    esac || fail "what was written by hand is in the way"
}

process_id() {
    ask "$port" | cut -d' ' -f2
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

# command_of ORDER [DIRECTORY]: prints what an administrator types; runit is told the directory of the service.
command_of() {
    case "$manager" in
        runit) echo "sv $1 ${2:-/srv/answer/etc/services/answer}" ;;
        supervisor) echo "supervisorctl $1 answer" ;;
        systemd | stand-in) echo "systemctl $1 answer.service" ;;
    esac
}

start_by_hand() {
    $(command_of start)
}

stop_by_hand() {
    $(command_of stop)
}

# What an old version's script does.
cat > /usr/bin/stop-answer << END
#!/bin/sh
$(command_of stop)
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
    command=$(sed -n 's/^ExecStart=//p' "$file")
    [ -n "$command" ] || exit 1
    setsid $command > "/run/$unit.log" 2>&1 < /dev/null &
    echo $! > "/run/$unit.pid"
}
link=/etc/systemd/system/multi-user.target.wants/$unit.service
file=/lib/systemd/system/$unit.service
if [ -f "/etc/systemd/system/$unit.service" ]; then file=/etc/systemd/system/$unit.service; fi
case "$verb" in
    is-active) is_running ;;
    is-enabled) if [ -L "$link" ]; then echo enabled; else echo disabled; exit 1; fi ;;
    enable|preset) mkdir -p "${link%/*}"; ln -sf "$file" "$link" ;;
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
            # It is there already, or will be in a moment.
            wait_for test -S /run/systemd/private
            systemctl is-system-running --wait > /dev/null || true
            ;;
        stand-in)
            mkdir -p /run/systemd/system
            start_by_hand
            ;;
    esac
}

# Prints one of the two parts of the file of a zone that is 19,800 seconds ahead of UTC (RFC 9636, 3).
time_zone() {
    printf 'TZif2'
    head -c 34 /dev/zero
    printf '\1\0\0\0\4\0\0\115\130\0\0LMT\0'
}

case "$parts" in
    *off*) ;;
    *)
        start_manager
        part=on
        ;;
esac

if [ "${part:-off}" = off ]; then
    step "a machine"
    rm -f /usr/sbin/policy-rc.d
    # runit makes what the link leads to when the machine boots.
    mkdir -p "$(readlink -m /etc/service)"
    if [ "$manager" = stand-in ]; then ln -sf /tmp/systemctl /usr/bin/systemctl; fi
    if [ "$manager" = supervisor ]; then
        # supervisorctl tells times of the zone that the machine is in.
        { time_zone; time_zone; printf '\n<+0530>-5:30\n'; } > /tmp/localtime
        rm -f /etc/localtime
        mv /tmp/localtime /etc/localtime
        [ "$(date +%z)" = +0530 ] || fail "the clock is at $(date)"
    fi
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
    [ "$(stat -c %a "$config")" = 640 ] || fail "the configuration is not as declared"
    is_closed || fail "it was started without a manager"
    ! grep -q start /run/calls 2>/dev/null || fail "$(cat /run/calls)"
    case "$manager" in
        systemd | stand-in)
            [ -L /etc/systemd/system/multi-user.target.wants/answer.service ] || fail "the unit is not enabled"
            SYSTEMD_OFFLINE=1 systemd-analyze verify --man=no /lib/systemd/system/answer.service 2>/tmp/verify || true
            ! grep -F answer.service /tmp/verify || fail "systemd does not like the unit"
            ;;
    esac
    case "$parts" in
        *on*) start_manager ;;
        *)
            step "done"
            exit
            ;;
    esac
fi

step "the manager has started, and with it the service"
wait_for answers 1 first
check_process
check_unit 1 enabled

step "upgrade"
first=$(process_id)
watch_port
install_package answer-2
check_version 2
wait_for answers 2 second
check_gap
[ "$(process_id)" != "$first" ] || fail "it was not restarted"
check_process
check_unit 2 enabled

step "downgrade"
install_package answer-1
check_version 1
wait_for answers 1 first
check_process
check_unit 1 enabled

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
check_unit 4 enabled
start_by_hand
wait_for answers 4 edited

if [ "$manager" = systemd ]; then
    step "a disabled service stays so: what runs is restarted, what does not is not started"
    systemctl disable --quiet answer.service
    install_package answer-2
    wait_for answers 2 edited
    check_unit 2 disabled
    stop_by_hand
    install_package answer-4
    check_version 4
    check_closed
    check_unit 4 disabled
    systemctl enable --quiet answer.service

    step "a masked service stays so"
    systemctl mask --quiet answer.service
    install_package answer-2
    check_version 2
    check_closed
    check_unit 2 masked
    install_package answer-4
    check_closed
    systemctl unmask --quiet answer.service
    check_unit 4 enabled
    start_by_hand
    wait_for answers 4 edited
fi

step "a version whose own script stops the service leaves it running"
install_package answer-2.5
wait_for answers 2.5 edited
install_package answer-4
check_version 4
wait_for answers 4 edited

step "a version that nothing starts again when it has ended is restarted like any other"
install_package answer-2.7
check_version 2.7
wait_for answers 2.7 edited
install_package answer-4
wait_for answers 4 edited

if [ "$manager" != stand-in ]; then
    step "a service that has failed is started by the version that mends it"
    install_package answer-2.8
    check_version 2.8
    wait_for has_failed
    install_package answer-4
    check_version 4
    wait_for answers 4 edited
    check_unit 4 enabled

    step "one that has failed because somebody stopped it is not"
    install_package answer-2.9
    wait_for answers 2.9 unwilling
    stop_by_hand
    wait_for is_at_rest answer
    install_package answer-4
    check_version 4
    check_closed
    start_by_hand
    wait_for answers 4 edited
    check_unit 4 enabled
fi

step "a second package of the workspace"
install_package other-1
wait_for answers 4 edited
other() {
    ask "$other_port" | grep -q other
}
if [ "$manager" = stand-in ]; then systemctl start other.service; fi
wait_for other

step "an upgrade that restarts nothing"
before=$(ask "$other_port" | cut -d' ' -f2)
install_package other-2
ask "$other_port" | grep -q "^1 $before other\$" || fail "it was restarted: $(ask "$other_port"), not 1 $before"
wait_for answers 4 edited
check_unit 4 enabled

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

# purge_package: nothing of it is left but its user.
purge_package() {
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
    [ ! -e /run/vb/vrmd-answer ] || fail "the state of upgrades is left"
    if [ "$manager" = systemd ]; then
        [ "$(systemctl show --property LoadState --value answer.service)" = not-found ] || fail "systemd still knows the unit"
        [ -z "$(systemctl list-units --failed --plain --no-legend)" ] || fail "$(systemctl list-units --failed)"
    fi
}

step "purge, or erase"
purge_package
wait_for other

step "an upgrade from a package whose scripts are written by hand"
rm -f "$config"*
install_package answer-0
wait_for answers 0 old
if [ "$manager" = supervisor ]; then echo '; edited' >> /etc/supervisor/conf.d/answer.conf; fi
install_package answer-4
check_version 4
wait_for answers 4 fourth
check_process
check_unit 4 enabled
# Nothing of the old form is left: no process, no script, no file, and no configuration that dpkg still holds for it.
wait_for is_one_process
[ ! -e /srv/answer/answer/runit ] || fail "$(find /srv/answer/answer)"
check_by_hand_is_gone
if [ "$format" = deb ]; then
    # dpkg forgets what is gone when it unpacks the next version.
    install_package answer-2
    check_version 2
    wait_for answers 2 second
    [ "$manager" = supervisor ] || ! dpkg-query --show --showformat='${Conffiles}' vrmd-answer | grep obsolete || fail "dpkg still holds a conffile"
    grep -q vb_settle /var/lib/dpkg/info/vrmd-answer.postinst || fail "$(cat /var/lib/dpkg/info/vrmd-answer.postinst)"
    remove_package vrmd-answer
fi
purge_package
wait_for other

# stop_former: as an administrator stops what was written by hand; then the clock goes on to where that can be told from now.
stop_former() {
    $(command_of stop /srv/answer/answer/runit/answer)
    wait_for is_closed
    then=$(date "$clock")
    if [ "$format" = deb ]; then wait_for is_later; fi
}

# supervisorctl tells the minute, and systemctl the second, of what has ended.
clock=+%S
if [ "$manager" = supervisor ]; then clock=+%M; fi

is_later() {
    [ "$(date "$clock")" != "$then" ]
}

# disable_former: so that it is not started when the machine is booted, either.
disable_former() {
    case "$manager" in
        runit) rm /etc/service/answer ;;
        supervisor)
            rm /etc/supervisor/conf.d/answer.conf
            supervisorctl update answer
            ;;
        systemd) systemctl disable --quiet --now answer.service ;;
    esac
    wait_for is_closed
    # A port is closed before its process has ended.
    if [ "$manager" = runit ]; then wait_for is_unsupervised; fi
}

is_unsupervised() {
    ! runs "runsv answer"
}

# check_off VERSION: nothing starts it.
check_off() {
    is_closed || fail "it was started"
    case "$manager" in
        runit) [ ! -e /etc/service/answer ] && wait_for is_unsupervised ;;
        supervisor) [ ! -e /etc/supervisor/conf.d/answer.conf ] ;;
        systemd) check_unit "$1" disabled ;;
    esac || fail "it is enabled"
}

if [ "$manager" != stand-in ]; then
    step "what somebody had stopped is not started by an upgrade from scripts that are written by hand"
    rm -f "$config"*
    install_package answer-0
    wait_for answers 0 old
    stop_former
    install_package answer-4
    check_version 4
    case "$manager" in
        runit)
            wait_for runs "runsv answer"
            check_closed
            start_by_hand
            ;;
        supervisor)
            check_closed
            supervisorctl update answer
            ;;
        systemd)
            check_closed
            check_unit 4 enabled
            start_by_hand
            ;;
    esac
    wait_for answers 4 fourth
    check_process
    purge_package

    step "nor what somebody had disabled, and not by the next upgrade"
    rm -f "$config"*
    install_package answer-0
    wait_for answers 0 old
    disable_former
    install_package answer-2
    check_version 2
    check_off 2
    install_package answer-4
    check_version 4
    check_off 4
    purge_package

    if [ "$manager" = runit ]; then
        step "nor what a file keeps down"
        rm -f "$config"*
        install_package answer-0
        wait_for answers 0 old
        touch /srv/answer/answer/runit/answer/down
        stop_former
        install_package answer-4
        check_off 4
        rm -rf /srv/answer
        purge_package

        step "a directory where the link has to be is put aside, and does not keep the package"
        rm -f "$config"*
        mkdir /tmp/by-hand
        printf '#!/bin/sh\nexec sleep 98765\n' > /tmp/by-hand/run
        chmod 755 /tmp/by-hand/run
        mv /tmp/by-hand /etc/service/answer
        wait_for runs "sleep 98765"
        install_package answer-4
        check_version 4
        wait_for answers 4 fourth
        [ "$(readlink /etc/service/answer)" = /srv/answer/etc/services/answer ] || fail "$(ls -l /etc/service)"
        [ -f /etc/sv/answer.old/run ] || fail "it is gone: $(ls /etc/sv)"
        ! runs "sleep 98765" || fail "it still runs"
        mkdir /tmp/by-hand
        rm /etc/service/answer
        mv /tmp/by-hand /etc/service/answer
        remove_package vrmd-answer
        rm -r /etc/service/answer /etc/sv/answer.old
        wait_for is_unsupervised
        if [ "$format" = deb ]; then purge_package; fi
    fi
    wait_for other
fi

if [ "$format" = deb ] && [ "$users" = real ]; then
    step "a purge leaves what somebody has mounted in a directory of the package"
    rm -f "$config"*
    install_package answer-4
    mkdir /var/lib/answer/mounted
    mount -t tmpfs tmpfs /var/lib/answer/mounted
    touch /var/lib/answer/mounted/kept
    dpkg --purge vrmd-answer
    [ "$(installed_version)" = none ] || fail "there is: $(installed_version)"
    [ -e /var/lib/answer/mounted/kept ] || fail "what was mounted is empty"
    umount /var/lib/answer/mounted
    rm -r /var/lib/answer
fi

step "the last package goes, too"
remove_package vrmd-other
wait_for is_at_rest other
[ "$(ask "$other_port")" = closed ] || fail "it still answers"

step "done"
