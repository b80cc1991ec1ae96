vb_runit_active() {
    [ -d /etc/service ] && vb_runit_installed && vb_process runsvdir
}

vb_runit_installed() {
    command -v sv >/dev/null 2>&1
}

vb_runit_supervised() {
    sv status "@SERVICES@/$1" >/dev/null 2>&1
}

vb_runit_runs() {
    sv status "@SERVICES@/$1" 2>/dev/null | grep -q '^run:'
}

# Does it run, or would it if it did not fail?
vb_runit_meant() {
    case "$(sv status "@SERVICES@/$1" 2>/dev/null | cut -d ';' -f 1)" in
        run:*) return 0 ;;
        *"want down"*) return 1 ;;
        finish:* | *"want up"*) return 0 ;;
    esac
    return 1
}

vb_runit_enabled() {
    [ -L "/etc/service/$1" ]
}

# Prints what somebody had done to it in an older version's directory: "off", "stopped", or nothing.
vb_runit_was() {
    [ -d /etc/service ] || return 0
    vb_old=/etc/service/$1
    if [ ! -e "$vb_old" ]; then vb_old=$(vb_listed | sed -n "s|/$1/run\$|/$1|p" | head -n 1); fi
    # Without this, runsv has never looked after it.
    if [ ! -e "$vb_old/supervise" ] && [ ! -L "$vb_old/supervise" ]; then return 0; fi
    case "$(sv status "$vb_old" 2>/dev/null | cut -d ';' -f 1)" in
        run:* | finish:* | *"want up"*) return 0 ;;
    esac
    if [ -e "$vb_old/supervise/status" ]; then
        # When it went down, in TAI64N.
        set -- "$1" $(od -A n -t x1 -N 12 "$vb_old/supervise/status")
        vb_down=$(((0x$2$3$4$5$6$7$8$9 - 4611686018427387914) * 1000000000 + 0x${10}${11}${12}${13}))
        if vb_is_since "$vb_down"; then return 0; fi
    fi
    if [ -e "$vb_old/down" ]; then
        echo off
    elif [ ! -e "/etc/service/$1" ] && ! vb_changed /etc/service; then
        echo off
    elif [ -e "$vb_old/supervise/status" ]; then
        echo stopped
    fi
}

# An older version's directory, or somebody's, where the link has to be. runsvdir ends what ran in it, and would start it
# again in any place in /etc/service.
vb_runit_yield() {
    if [ ! -d "/etc/service/$1" ] || [ -L "/etc/service/$1" ]; then return 0; fi
    # Somebody's "down" is in it, too, but what runs is meant to.
    case "$(sv status "/etc/service/$1" 2>/dev/null)" in
        run:*) rm -f "$vb_state/$1.off" ;;
    esac
    vb_aside=/etc/sv/$1.old
    while [ -e "$vb_aside" ]; do vb_aside=$vb_aside.old; done
    mkdir -p /etc/sv
    mv "/etc/service/$1" "$vb_aside" || return 0
    vb_say "/etc/service/$1 was a directory, and is $vb_aside now: the package itself says what the service is"
    sv -w 10 force-shutdown "$vb_aside" >/dev/null 2>&1 || true
}

# "update-service --remove" leaves the second link: the administrator's choice to keep the service off.
vb_runit_enable() {
    if [ ! -d /etc/service ] || [ -L "/etc/service/.$1" ]; then return 0; fi
    if [ -e "$vb_state/$1.off" ]; then
        if [ -L "/etc/service/$1" ]; then rm -f "/etc/service/$1"; fi
        return 0
    fi
    if [ -d "/etc/service/$1" ] && [ ! -L "/etc/service/$1" ]; then
        vb_say "/etc/service/$1 is a directory: the service $1 is not enabled"
        return 0
    fi
    # What an earlier installation has left there.
    if [ "$(readlink "/etc/service/$1")" != "@SERVICES@/$1" ]; then rm -f "/run/@PACKAGE@-$1.down"; fi
    # runsvdir starts what it finds; where that is not wanted now, this keeps it down until the next boot.
    if vb_process runsvdir && { [ -e "$vb_state/$1.stopped" ] || ! vb_allowed "$1" start; }; then
        : > "/run/@PACKAGE@-$1.down"
    fi
    ln -sfn "@SERVICES@/$1" "/etc/service/$1"
}

# Without the supervisor runsvdir starts the service by itself within seconds.
vb_runit_start() {
    ! vb_runit_supervised "$1" || sv -w 15 start "@SERVICES@/$1" >/dev/null
}

# "sv restart" asks for a start while the script "finish" has not put down yet what is not to be started again.
vb_runit_restart() {
    vb_ended=yes
    sv -w 15 stop "@SERVICES@/$1" >/dev/null || vb_ended=
    # Also what has not ended in time is wanted up.
    sv -w 15 start "@SERVICES@/$1" >/dev/null && [ -n "$vb_ended" ]
}

vb_runit_reload() {
    "@SERVICES@/$1/reload"
}

vb_runit_stop() {
    # The link goes first, or runsvdir would start runsv again. A directory is not the package's.
    if [ -L "/etc/service/$1" ]; then rm -f "/etc/service/$1"; fi
    if ! vb_runit_supervised "$1"; then return 0; fi
    # Kills what does not stop within the time, and counts that as a failure.
    sv -w 10 force-shutdown "@SERVICES@/$1" >/dev/null || true
    vb_attempts=10
    while vb_runit_supervised "$1"; do
        if [ "$vb_attempts" -eq 0 ]; then
            vb_say "the service $1 did not stop"
            return 1
        fi
        vb_attempts=$((vb_attempts - 1))
        sleep 1
    done
}

vb_runit_forget() {
    rm -rf "/run/@PACKAGE@-$1.supervise" "/run/@PACKAGE@-$1.log.supervise" "/run/@PACKAGE@-$1.down"
    if [ "$2" = purge ]; then rm -f "/etc/service/.$1"; fi
}

# What svlogd has written; whatever else is there is somebody's.
vb_runit_purge_log() {
    rm -f "/var/log/$1/current" "/var/log/$1/lock" "/var/log/$1/state" "/var/log/$1/newstate" "/var/log/$1/"@*
    rmdir "/var/log/$1" 2>/dev/null || true
}
