vb_supervisor_installed() {
    command -v supervisorctl >/dev/null 2>&1
}

vb_supervisor_active() {
    vb_supervisor_installed && supervisorctl pid >/dev/null 2>&1
}

# Prints where supervisord reads programs from: Debian's place, or that of the RPM distributions.
vb_supervisor_link() {
    if [ -d /etc/supervisor/conf.d ]; then
        echo "/etc/supervisor/conf.d/$1.conf"
    elif [ -d /etc/supervisord.d ]; then
        echo "/etc/supervisord.d/$1.ini"
    fi
}

vb_supervisor_runs() {
    vb_supervisor_active && supervisorctl status "$1" 2>/dev/null | grep -Eq ' (RUNNING|STARTING)'
}

# Does it run, or would it if it did not fail? EXITED may be what it should be.
vb_supervisor_meant() {
    vb_supervisor_active && supervisorctl status "$1" 2>/dev/null | grep -Eq ' (RUNNING|STARTING|BACKOFF|FATAL)'
}

vb_supervisor_enabled() {
    vb_link=$(vb_supervisor_link "$1")
    [ -n "$vb_link" ] && [ -L "$vb_link" ]
}

# Prints what somebody had done to it in an older version: "off", "stopped", or nothing.
vb_supervisor_was() {
    vb_file=$(vb_supervisor_link "$1")
    if [ -z "$vb_file" ]; then return 0; fi
    if [ ! -e "$vb_file" ]; then
        if vb_listed | grep -qxF "$vb_file" && ! vb_changed "${vb_file%/*}"; then echo off; fi
        return 0
    fi
    vb_supervisor_active || return 0
    vb_status=$(supervisorctl status "$1" 2>/dev/null) || true
    case "$vb_status" in
        *" STOPPED "*"Not started"*) echo off ;;
        *" STOPPED "*)
            # It tells the minute, by the machine's clock.
            vb_down=$(unset TZ && date -d "${vb_status#* STOPPED }" +%s) || return 0
            vb_is_since "$((vb_down + 59))999999999" || echo stopped
            ;;
    esac
}

vb_supervisor_yield() {
    vb_link=$(vb_supervisor_link "$1")
    if [ -n "$vb_link" ]; then vb_yield "$vb_link"; fi
}

vb_supervisor_enable() {
    vb_link=$(vb_supervisor_link "$1")
    if [ -z "$vb_link" ]; then return 0; fi
    if [ -e "$vb_state/$1.off" ] || [ -e "$vb_state/$1.stopped" ]; then
        # It would be started as supervisord knows it. "supervisorctl update" reads, and starts, what the package has.
        supervisorctl remove "$1" >/dev/null 2>&1 || true
    fi
    if [ -e "$vb_state/$1.off" ]; then return 0; fi
    ln -sfn "@SERVICES@/$1/supervisor.conf" "$vb_link"
}

# A new program is started by being read.
vb_supervisor_start() {
    supervisorctl update "$1" >/dev/null
    if vb_supervisor_runs "$1"; then return 0; fi
    # One that is about to be tried again counts as started already.
    supervisorctl stop "$1" >/dev/null 2>&1 || true
    supervisorctl start "$1" >/dev/null
}

vb_supervisor_restart() {
    supervisorctl update "$1" >/dev/null
    supervisorctl restart "$1" >/dev/null
}

vb_supervisor_reload() {
    "@SERVICES@/$1/reload"
}

# supervisorctl waits until the process has ended. A program that it does not know is stopped already.
vb_supervisor_stop() {
    if vb_supervisor_active; then
        supervisorctl stop "$1" >/dev/null || true
        supervisorctl remove "$1" >/dev/null || true
    fi
    rm -f "/etc/supervisor/conf.d/$1.conf" "/etc/supervisord.d/$1.ini"
}

vb_supervisor_forget() {
    if [ "$2" = purge ]; then rm -f "/var/log/supervisor/$1.log"*; fi
}
