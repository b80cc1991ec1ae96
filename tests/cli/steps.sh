# What the scripts of the tests share; each reads it by `. /scripts/steps.sh`. A script that has more to say of a failure
# defines `tell`.

step() {
    echo "== $*"
}

tell() {
    :
}

fail() {
    echo "FAILED: $*"
    tell
    exit 1
}

# Tries a command for a minute.
wait_for() {
    attempts=300
    until "$@"; do
        attempts=$((attempts - 1))
        [ "$attempts" -gt 0 ] || fail "waited in vain for: $*"
        sleep 0.2
    done
}
