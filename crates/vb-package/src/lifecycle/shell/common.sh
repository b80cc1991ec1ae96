# What an upgrade has to know at its end; it is gone after a reboot, which starts every enabled service anyway.
vb_state=/run/vb/@PACKAGE@

vb_say() {
    echo "@PACKAGE@: $*" >&2
}

# Is there a process of that name?
vb_process() {
    for vb_comm in /proc/[0-9]*/comm; do
        if [ "$(cat "$vb_comm" 2>/dev/null)" = "$1" ]; then return 0; fi
    done
    return 1
}

# May the service be touched here? A chroot says no by its policy-rc.d.
vb_allowed() {
    command -v policy-rc.d >/dev/null 2>&1 || return 0
    vb_answer=0
    policy-rc.d "$1" "$2" >/dev/null 2>&1 || vb_answer=$?
    [ "$vb_answer" -eq 0 ] || [ "$vb_answer" -eq 104 ]
}

# vb_yield FILE: a configuration file of dpkg's that only an older version had, where it would hide what the package has.
vb_yield() {
    if [ ! -f "$1" ] || [ -L "$1" ] || ! command -v dpkg-query >/dev/null 2>&1; then return 0; fi
    vb_sum=$(dpkg-query --show --showformat='${Conffiles}\n' @PACKAGE@ 2>/dev/null |
        sed -n "s|^ $1 \([0-9a-f]*\) obsolete\$|\1|p")
    if [ -z "$vb_sum" ]; then return 0; fi
    if [ "$(md5sum < "$1")" = "$vb_sum  -" ]; then
        rm -f "$1"
    else
        vb_say "$1 has been edited and is $1.dpkg-old now: the package itself says what the service is"
        mv -f "$1" "$1.dpkg-old"
    fi
}

# vb_choose SERVICE MANAGER...: prints the one that the service ran under, or is enabled under: nothing changes by another
# that is there meanwhile. Of a new service it is the first that runs here, or else is installed, or else the first.
vb_choose() {
    vb_chosen_for=$1
    shift
    for vb_candidate in "$@"; do
        if [ -e "$vb_state/$vb_chosen_for.$vb_candidate" ]; then echo "$vb_candidate"; return; fi
    done
    for vb_candidate in "$@"; do
        if "vb_${vb_candidate}_enabled" "$vb_chosen_for"; then echo "$vb_candidate"; return; fi
    done
    for vb_candidate in "$@"; do
        if "vb_${vb_candidate}_active"; then echo "$vb_candidate"; return; fi
    done
    for vb_candidate in "$@"; do
        if "vb_${vb_candidate}_installed"; then echo "$vb_candidate"; return; fi
    done
    echo "$1"
}

# vb_remember SERVICE FILE MANAGER...: before an upgrade; the file is there if the old version has the service. What has
# failed is remembered like what runs: the new version may mend it.
vb_remember() {
    vb_service=$1
    [ -e "$2" ] || return 0
    shift 2
    mkdir -p "$vb_state"
    : > "$vb_state/$vb_service.known"
    for vb_manager in "$@"; do
        if "vb_${vb_manager}_meant" "$vb_service"; then : > "$vb_state/$vb_service.$vb_manager"; fi
    done
    vb_off=
    for vb_manager in "$@"; do
        if [ -e "$vb_state/$vb_service.$vb_manager" ] || "vb_${vb_manager}_enabled" "$vb_service"; then return 0; fi
        # Nobody has disabled what no manager has ever known.
        if "vb_${vb_manager}_installed"; then vb_off=yes; fi
    done
    if [ -n "$vb_off" ]; then : > "$vb_state/$vb_service.off"; fi
}

# vb_look SERVICE MANAGER...: before an upgrade from a version with scripts of its own, which has remembered nothing.
vb_look() {
    vb_service=$1
    shift
    for vb_manager in "$@"; do
        vb_was=$("vb_${vb_manager}_was" "$vb_service") || vb_was=
        case "$vb_was" in
            off | stopped)
                mkdir -p "$vb_state"
                : > "$vb_state/$vb_service.$vb_was"
                ;;
        esac
    done
}

# Prints the files of the version that is installed.
vb_listed() {
    dpkg-query --listfiles @PACKAGE@ 2>/dev/null || rpm --query --list @PACKAGE@ 2>/dev/null
}

# vb_act ACTION SERVICE MANAGER: a service that does not obey is no fault of the package's files.
vb_act() {
    vb_allowed "$2" "$1" || return 0
    "vb_${3}_$1" "$2" || vb_say "the service $2 did not $1"
}

# vb_settle SERVICE CHANGE UPGRADED MANAGER...: after all files are there.
vb_settle() {
    vb_service=$1 vb_change=$2 vb_upgraded=$3
    shift 3
    if [ -e "$vb_state/$vb_service.known" ]; then
        for vb_manager in "$@"; do
            [ -e "$vb_state/$vb_service.$vb_manager" ] || continue
            if ! "vb_${vb_manager}_runs" "$vb_service"; then
                vb_act start "$vb_service" "$vb_manager"
            elif [ "$vb_change" != leave ]; then
                vb_act "$vb_change" "$vb_service" "$vb_manager"
            fi
        done
        return
    fi
    if [ -e "$vb_state/$vb_service.stopped" ]; then return 0; fi
    vb_manager=$(vb_choose "$vb_service" "$@")
    "vb_${vb_manager}_active" || return 0
    if ! "vb_${vb_manager}_runs" "$vb_service"; then
        if "vb_${vb_manager}_enabled" "$vb_service"; then vb_act start "$vb_service" "$vb_manager"; fi
    elif [ "$vb_upgraded" = yes ] && [ "$vb_change" != leave ]; then
        vb_act "$vb_change" "$vb_service" "$vb_manager"
    fi
}

# vb_resume SERVICE MANAGER...: an upgrade was called off; what ran and was stopped meanwhile is started.
vb_resume() {
    vb_service=$1
    shift
    for vb_manager in "$@"; do
        [ -e "$vb_state/$vb_service.$vb_manager" ] || continue
        if ! "vb_${vb_manager}_runs" "$vb_service"; then vb_act start "$vb_service" "$vb_manager"; fi
    done
}
