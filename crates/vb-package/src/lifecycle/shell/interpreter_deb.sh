# What is not set up yet is on its way with the packages that this one depends on: nothing is wrong then.
vb_is_set_up () {
    for vb_package in "$@"; do
        [ "$(dpkg-query -W -f='${Status}' "$vb_package" 2>/dev/null)" = "install ok installed" ] || return 1
    done
}

vb_check_interpreter () {
    if vb_says_version @COMMAND@ @VERSION@ || ! vb_is_set_up @NEEDED@; then
        return 0
    fi
    {
        vb_tell_interpreter @COMMAND@ @VERSION@
        vb_diverted=$(dpkg-divert --truename @COMMAND@)
        if [ "$vb_diverted" != @COMMAND@ ]; then
            echo "  Somebody has diverted it to $vb_diverted: dpkg-divert --list @COMMAND@"
        fi
        vb_owner=$(dpkg-query -S @COMMAND@ 2>/dev/null | sed -n '/^diversion /d; s/: .*//p' | head -n 1)
        echo "  This brings it back: apt-get install --reinstall ${vb_owner:-@NEEDED@}"
    } >&2
    return 1
}

case "$1" in
    install|upgrade) vb_check_interpreter ;;
esac
