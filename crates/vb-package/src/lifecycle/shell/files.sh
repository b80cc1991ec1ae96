# vb_user NAME HOME SHELL COMMENT: a system user with a group of the same name, which may be there already.
vb_user() {
    if id -u "$1" >/dev/null 2>&1; then return 0; fi
    vb_group=
    if getent group "$1" >/dev/null 2>&1; then vb_group=$1; fi
    if command -v adduser >/dev/null 2>&1 && [ -e /etc/debian_version ]; then
        if [ -n "$vb_group" ]; then vb_group="--ingroup $1"; else vb_group=--group; fi
        adduser --system $vb_group --quiet --no-create-home --home "$2" --shell "$3" --gecos "$4" "$1"
    elif command -v useradd >/dev/null 2>&1; then
        if [ -n "$vb_group" ]; then vb_group="--gid $1"; else vb_group=--user-group; fi
        useradd --system $vb_group --no-create-home --home-dir "$2" --shell "$3" --comment "$4" "$1"
    elif command -v systemd-sysusers >/dev/null 2>&1; then
        printf 'u %s - "%s" %s %s\n' "$1" "$4" "$2" "$3" | systemd-sysusers -
    else
        vb_say "nothing here can make the user $1: neither adduser, useradd nor systemd-sysusers"
        return 1
    fi
}

# vb_member USER GROUP
vb_member() {
    if ! getent group "$2" >/dev/null; then
        vb_say "the user $1 is not in the group $2, which is not there"
    elif ! id -nG "$1" | tr ' ' '\n' | grep -qx "$2"; then
        usermod --append --groups "$2" "$1"
    fi
}

# vb_directory PATH OWNER GROUP MODE: what is there already is the administrator's.
vb_directory() {
    [ -d "$1" ] || install -d -o "$2" -g "$3" -m "$4" "$1"
}

# vb_purge PATH: with all that is in it, but with nothing of another file system that somebody has mounted there.
vb_purge() {
    rm -rf --one-file-system "$1" || vb_say "$1 is still there, or something in it"
}

# vb_keep_owner PATH: before an upgrade from a version that has said whose the file is.
vb_keep_owner() {
    mkdir -p "$vb_state"
    echo "$1" >> "$vb_state/owned"
}

# vb_own UPGRADED PATH OWNER GROUP [MODE]: once, as dpkg keeps owner and mode of a configuration file that it replaces. A
# link is the administrator's, and where it leads to, others may look, too.
vb_own() {
    if [ -L "$2" ] || [ ! -e "$2" ] || [ "$(stat -c %u:%g "$2")" != 0:0 ]; then return 0; fi
    if [ "$1" = yes ] && grep -qsxF -e "$2" "$vb_state/owned"; then return 0; fi
    if dpkg-statoverride --list "$2" >/dev/null 2>&1; then return 0; fi
    chown "$3:$4" "$2"
    if [ -n "${5:-}" ]; then chmod "$5" "$2"; fi
}
