#!/bin/sh
# Real clients of yum repositories: nginx serves /repositories, dnf reads them into an empty root.
set -eu

say() { printf '== %s\n' "$*"; }
fail() { say "FAILED: $*"; cat /tmp/log 2>/dev/null; exit 1; }

mkdir -p /tmp/home /tmp/nginx /etc/yum.repos.d
export HOME=/tmp/home
# Debian's rpm keeps its database in the home directory, and looks for a gpg of another name.
printf '%%_dbpath /var/lib/rpm\n%%__gpg /usr/bin/gpg\n' > $HOME/.rpmmacros
cat > /tmp/nginx.conf <<'X'
daemon on;
pid /tmp/nginx/pid;
error_log /tmp/nginx/error;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/nginx/b; proxy_temp_path /tmp/nginx/p; fastcgi_temp_path /tmp/nginx/f;
  uwsgi_temp_path /tmp/nginx/u; scgi_temp_path /tmp/nginx/s;
  server { listen 127.0.0.1:8080; root /repositories; }
}
X
nginx -c /tmp/nginx.conf
trap 'kill "$(cat /tmp/nginx/pid)"' EXIT

# with REPOSITORY COMMAND…: dnf with that repository alone.
with() {
    name=$1; shift
    rm -rf /tmp/repos.d; mkdir /tmp/repos.d
    cp "/repositories/$name.repo" /tmp/repos.d/vb.repo
    dnf --quiet --assumeyes --installroot=/tmp/root --releasever=9 --setopt=reposdir=/tmp/repos.d \
        --setopt=varsdir= --setopt=pluginpath= --setopt=module_platform_id=platform:el9 --setopt=metadata_expire=0 \
        --setopt=keepcache=0 --setopt=skip_if_unavailable=0 "$@" > /tmp/log 2>&1
}
refused() {
    what=$1; shift
    if with "$@"; then fail "$what was accepted"; fi
    say "$what is refused"; grep -v '^$' /tmp/log | tail -n 3
}
installed() { [ "$(cat /tmp/root/opt/app/version)" = "$1" ] || fail "the version is not $1"; }

loop() {
    # Until the publishers are done, and once more; with what an earlier one has read, and without.
    count=0
    while :; do
        stop=; [ ! -e /repositories/stop ] || stop=yes
        [ $((count % 2)) = 0 ] || rm -rf /tmp/root/var/cache
        with busy makecache || fail "makecache number $count beside publishers"
        count=$((count + 1))
        [ -z "$stop" ] || break
    done
    with busy repoquery --qf '%{name}' '*' || fail "repoquery"
    say "$count times, $(sort -u /tmp/log | grep -c '^busy-') packages"
}

life() {
    with first install app || fail install
    installed 1.0
    with second upgrade app || fail upgrade
    installed 1.1
    with second downgrade app || fail downgrade
    installed 1.0
    rpm --root /tmp/root -V app || fail verify
    with second erase app || fail erase
    [ ! -e /tmp/root/opt/app/version ] || fail "files are left"
    with mirrors install app || fail 'install by the list of mirrors'
    installed 1.0
    with mirrors erase app || fail 'erase'
    refused 'another key' otherkey makecache --refresh
    rm -rf /tmp/root
    with zstd install app || fail 'indexes in zstd'
    installed 1.0
    rm -rf /tmp/root
    refused 'a truncated package' truncated install app
    refused 'an altered package of the right size' altered install app
    refused 'an altered index' altered-index makecache
    refused 'an unsigned package' unsigned install app
}

"$1"
say done
