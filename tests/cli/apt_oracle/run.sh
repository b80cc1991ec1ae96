# Asks apt what it would install into an empty system, for each line of /input/requests: arguments between tabs.
set -euf
mkdir -p /tmp/apt/state/lists/partial /tmp/apt/cache/archives/partial /tmp/apt/etc/apt.conf.d /tmp/apt/etc/preferences.d
: > /tmp/apt/status
export APT_CONFIG=/input/apt.conf
apt-get -q update
IFS=$(printf '\t')
while read -r line; do
    echo '# request'
    # shellcheck disable=SC2086 # the arguments are split at tabs
    apt-get -qq -y --allow-downgrades --print-uris $line < /dev/null || echo '# refused'
done < /input/requests
