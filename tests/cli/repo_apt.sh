#!/bin/sh
# What administrators and attackers do with an apt repository of vb, served by nginx. /stages holds the repository at
# several moments; what is served is where /www points.

set -eu

. /scripts/steps.sh

tell() {
    tail -n 20 /tmp/access.log || true
}

serve() {
    ln -sfn "/stages/$1" /www
}

refused() {
    if "$@" > /tmp/refusal 2>&1; then
        cat /tmp/refusal
        fail "this was accepted: $*"
    fi
}

says() {
    grep -qE "$1" /tmp/refusal || { cat /tmp/refusal; fail "nobody said: $1"; }
}

# apt-get update succeeds when an index is refused and an older one is there, so its warnings count too.
update() {
    apt-get -o APT::Update::Error-Mode=any update > /tmp/update 2>&1 && ! grep -E '^[WE]:' /tmp/update || { cat /tmp/update; return 1; }
}

version_is() {
    found=$(dpkg-query --show --showformat='${Version}' hello)
    [ "$found" = "$1" ] || fail "version $found is installed, not $1"
}

step "a client"
mkdir -p /tmp/nginx
cat > /tmp/nginx.conf << 'CONF'
user root;
pid /tmp/nginx/pid;
error_log /tmp/nginx/error.log;
events {}
http {
    access_log /tmp/access.log;
    client_body_temp_path /tmp/nginx/body;
    proxy_temp_path /tmp/nginx/proxy;
    fastcgi_temp_path /tmp/nginx/fastcgi;
    uwsgi_temp_path /tmp/nginx/uwsgi;
    scgi_temp_path /tmp/nginx/scgi;
    server { listen 127.0.0.1:8080; location / { root /www; } }
}
CONF
nginx -c /tmp/nginx.conf
echo 'APT::Sandbox::User "root";' > /etc/apt/apt.conf.d/sandbox
rm -f /etc/apt/sources.list
mkdir -p /usr/share/keyrings

if [ "${1:-}" = beside-publishers ]; then
    step "updates beside publishers"
    serve busy
    cp /stages/busy/key.asc /usr/share/keyrings/vb.asc
    cp /stages/busy.sources /etc/apt/sources.list.d/busy.sources
    count=0
    stop=
    # Until the publishers are done, and once more; with what an earlier update left, and without.
    while [ -z "$stop" ]; do
        [ ! -e /stages/stop ] || stop=yes
        [ -z "$stop" ] && [ $((count % 2)) = 1 ] || rm -rf /var/lib/apt/lists/*
        update || fail "update number $count beside publishers"
        count=$((count + 1))
    done
    echo "$count updates, $(apt-cache dumpavail | grep -c '^Package: busy-') packages"
    nginx -c /tmp/nginx.conf -s stop
    step "done"
    exit 0
fi
serve first
cp /stages/first/key.asc /usr/share/keyrings/vb.asc
cp /stages/hello.sources /etc/apt/sources.list.d/hello.sources

step "install"
update || fail "the repository was refused"
apt-get install -y hello
version_is 1.0

step "upgrade"
serve second
update || fail "the repository was refused"
apt-get install -y hello
version_is 1.1

step "rollback"
serve rolled-back
update || fail "the repository was refused"
apt-cache madison hello > /tmp/versions
! grep -qF 1.1 /tmp/versions || fail "the version that was rolled back is still there"
apt-get install -y --allow-downgrades hello=1.0
version_is 1.0

step "an old index that is replayed changes nothing"
serve second
update || true
apt-cache policy hello > /tmp/policy
! grep -F 1.1 /tmp/policy | grep -vF '100 /var' | grep -F http || fail "the old index counts: $(cat /tmp/policy)"
serve rolled-back
update || fail "the repository was refused"

step "an index of another key is refused"
serve foreign
refused update
says 'NO_PUBKEY|Missing key|not signed|no OpenPGP'

step "an index that has expired is refused"
rm -rf /var/lib/apt/lists/*
serve expired
refused update
says 'expired|no longer valid|not valid'

step "an index that was changed is refused"
rm -rf /var/lib/apt/lists/*
serve forged
refused update
says 'BADSIG|Bad signature|bad signature|not signed|signature|invalid'

step "a package that is cut off is refused"
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
serve cut-off
update || fail "the repository was refused"
refused apt-get install -y hello=1.1
says 'Hash Sum mismatch|unexpected size|Connection closed|Size mismatch|File has'
version_is 1.0

step "two keys"
serve rotated
update || fail "the old key does not do"
cp /stages/new-key.asc /usr/share/keyrings/vb.asc
rm -rf /var/lib/apt/lists/*
update || fail "the new key does not do"
cp /stages/first/key.asc /usr/share/keyrings/vb.asc

step "every form of the index has every package"
for form in xz gz zst; do
    rm -rf /var/lib/apt/lists/*
    : > /tmp/access.log
    nginx -c /tmp/nginx.conf -s reopen
    serve many
    apt-get -o "Acquire::CompressionTypes::Order::=$form" -o APT::Update::Error-Mode=any update
    count=$(apt-cache dumpavail | grep -c '^Package: many-')
    [ "$count" = 400 ] || fail "$form: $count packages of 400"
    if [ "$form" = zst ] && ! grep -qF "$(sed -n 's/ *\([0-9a-f]*\) .*Packages.zst$/\1/p' /stages/many/dists/bookworm-production/Release)" /tmp/access.log; then
        echo "this apt reads no zst"
    fi
done
rm -rf /var/lib/apt/lists/*
apt-get -o APT::Update::Error-Mode=any -o Acquire::By-Hash=no update
count=$(apt-cache dumpavail | grep -c '^Package: many-')
[ "$count" = 400 ] || fail "by name: $count packages of 400"

step "which package has a file"
rm -rf /var/lib/apt/lists/*
# As apt-file asks for it.
cat > /etc/apt/apt.conf.d/contents << 'CONF'
Acquire::IndexTargets::deb::Contents-deb {
    MetaKey "$(COMPONENT)/Contents-$(ARCHITECTURE)";
    ShortDescription "Contents-$(ARCHITECTURE)";
    Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Contents (deb)";
    DefaultEnabled "true";
};
CONF
serve contents
update || fail "the repository was refused"
apt-get indextargets --format '$(FILENAME)' 'Created-By: Contents-deb' > /tmp/contents-files
[ "$(wc -l < /tmp/contents-files)" = 1 ] || fail "Contents files: $(cat /tmp/contents-files)"
/usr/lib/apt/apt-helper cat-file "$(cat /tmp/contents-files)" > /tmp/contents
grep -qE '^usr/share/hello.version +hello$' /tmp/contents || fail "Contents are $(cat /tmp/contents)"
rm /etc/apt/apt.conf.d/contents

step "the flat layout"
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
cp /stages/flat.sources /etc/apt/sources.list.d/hello.sources
serve flat
update || fail "the flat repository was refused"
apt-get install -y hello=1.1
version_is 1.1

nginx -c /tmp/nginx.conf -s stop
step "done"
