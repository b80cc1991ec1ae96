vb_says_version () {
    vb_said=$("$1" -S -c 'import sys; sys.stdout.write("%d.%d" % sys.version_info[:2])' 2>&1) && [ "$vb_said" = "$2" ]
}

# Tells what is wrong at the path of an interpreter that does not say its version.
vb_tell_interpreter () {
    echo "@PACKAGE@: it needs Python $2, and $1 is not that."
    if [ -L "$1" ] && [ ! -e "$1" ]; then
        echo "  It is a link to $(readlink "$1"), where nothing is."
    elif [ ! -e "$1" ]; then
        echo "  There is no such file."
    elif [ ! -x "$1" ]; then
        echo "  It cannot be executed."
    else
        echo "  Asked for its version, it says: $(printf '%s\n' "$vb_said" | tail -n 1)"
    fi
}
