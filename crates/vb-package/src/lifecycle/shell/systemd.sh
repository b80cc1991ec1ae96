vb_systemd_active() {
    [ -d /run/systemd/system ]
}

vb_systemd_installed() {
    command -v systemctl >/dev/null 2>&1
}

vb_systemd_runs() {
    vb_systemd_active && systemctl --quiet is-active "$1.service"
}

# vb_systemd_since PROPERTY SERVICE: prints a time in microseconds since the machine was booted.
vb_systemd_since() {
    systemctl show --property "${1}TimestampMonotonic" "$2.service" 2>/dev/null | sed 's/^[^=]*=//'
}

# Does it run, or would it if it did not fail? What somebody stops may fail by that: it stops being active before it ends.
vb_systemd_meant() {
    vb_systemd_active || return 1
    case "$(systemctl is-active "$1.service" 2>/dev/null)" in
        active | reloading | activating) return 0 ;;
        failed)
            vb_ended=$(vb_systemd_since ExecMainExit "$1")
            vb_left=$(vb_systemd_since ActiveExit "$1")
            [ "${vb_ended:-0}" -le "${vb_left:-0}" ]
            return
            ;;
    esac
    return 1
}

vb_systemd_enabled() {
    systemctl --quiet is-enabled "$1.service" 2>/dev/null
}

# Prints what somebody had done to it in an older version: "off", "stopped", or nothing.
vb_systemd_was() {
    case "$(systemctl is-enabled "$1.service" 2>/dev/null)" in
        disabled)
            vb_changed /etc/systemd/system/multi-user.target.wants || echo off
            ;;
        enabled)
            vb_systemd_active || return 0
            [ "$(systemctl show --property ActiveState "$1.service")" = ActiveState=inactive ] || return 0
            vb_down=$(TZ=UTC systemctl show --property InactiveEnterTimestamp "$1.service")
            # It tells the second, and nothing of what has not run since the machine was booted.
            vb_down=${vb_down#*=}
            vb_down=$(date -d "${vb_down:-@0}" +%s) || return 0
            vb_is_since "${vb_down}999999999" || echo stopped
            ;;
    esac
}

vb_systemd_yield() {
    vb_yield "/etc/systemd/system/$1.service"
}

# Debian's helper remembers what the administrator has disabled, and works without systemd.
vb_systemd_enable() {
    if command -v deb-systemd-helper >/dev/null 2>&1; then
        deb-systemd-helper unmask "$1.service" >/dev/null || true
        if [ ! -e "$vb_state/$1.off" ] && deb-systemd-helper --quiet was-enabled "$1.service"; then
            deb-systemd-helper enable "$1.service" >/dev/null || true
        else
            deb-systemd-helper update-state "$1.service" >/dev/null || true
        fi
    elif vb_systemd_installed && [ ! -e "$vb_state/$1.off" ]; then
        systemctl --quiet --no-reload enable "$1.service" >/dev/null 2>&1 || vb_say "$1.service was not enabled"
    fi
}

vb_systemd_call() {
    if command -v deb-systemd-invoke >/dev/null 2>&1; then
        deb-systemd-invoke "$1" "$2.service" >/dev/null
    else
        systemctl "$1" "$2.service" >/dev/null
    fi
}

# What has failed too often would not be tried again.
vb_systemd_start() {
    systemctl reset-failed "$1.service" >/dev/null 2>&1 || true
    vb_systemd_call start "$1"
}

vb_systemd_restart() {
    vb_systemd_call restart "$1"
}

vb_systemd_reload() {
    systemctl reload "$1.service" >/dev/null
}

# Units of a package have a fixed time, by which systemd would not see that they have changed.
vb_systemd_reread() {
    if vb_systemd_active; then systemctl --system daemon-reload >/dev/null || true; fi
}

vb_systemd_stop() {
    if vb_systemd_active; then
        vb_systemd_call stop "$1" || vb_say "the service $1 did not stop"
    fi
    # Debian's helper keeps the links of enabled units until the package is purged.
    if ! command -v deb-systemd-helper >/dev/null 2>&1 && vb_systemd_installed; then
        systemctl --quiet --no-reload disable "$1.service" >/dev/null 2>&1 || true
    fi
}

vb_systemd_forget() {
    vb_systemd_reread
    if [ "$2" = purge ] && command -v deb-systemd-helper >/dev/null 2>&1; then
        deb-systemd-helper purge "$1.service" >/dev/null || true
        deb-systemd-helper unmask "$1.service" >/dev/null || true
    fi
}
