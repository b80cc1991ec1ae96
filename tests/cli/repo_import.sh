#!/bin/sh
# Makes repositories as their own tools do, from the packages in /packages, below /made. Their key is in /made/key.asc.
set -eu

export GNUPGHOME=/tmp/gpg HOME=/tmp
mkdir -m 700 /tmp/gpg
gpg --batch --quiet --passphrase '' --quick-gen-key 'Their company <them@example.org>' rsa3072 sign never
key=$(gpg --list-keys --with-colons | awk -F: '/^fpr/ { print $10; exit }')
gpg --armor --export "$key" > /made/key.asc

echo "== reprepro"
mkdir -p /made/reprepro/conf
cat > /made/reprepro/conf/distributions << X
Origin: them
Suite: stable
Codename: bookworm
Architectures: amd64
Components: main extra
SignWith: $key

Codename: testing
Architectures: amd64
Components: main
SignWith: $key
X
reprepro -s -b /made/reprepro -C main includedeb bookworm /packages/first_*.deb /packages/second_*.deb /packages/every_*.deb
reprepro -s -b /made/reprepro -C extra includedeb bookworm /packages/third_*.deb
reprepro -s -b /made/reprepro -C main includedeb testing /packages/next_*.deb

echo "== aptly"
echo '{"rootDir": "/made/aptly", "architectures": ["amd64"], "gpgProvider": "gpg"}' > /tmp/aptly.conf
aptly -config=/tmp/aptly.conf repo create -distribution=stable ours
aptly -config=/tmp/aptly.conf repo add ours /packages/first_*.deb /packages/every_*.deb
aptly -config=/tmp/aptly.conf publish repo -batch -gpg-key="$key" ours

echo "== createrepo_c"
mkdir -p /made/yum
cp /packages/*.rpm /made/yum/
createrepo_c --quiet /made/yum
gpg --batch --armor --detach-sign --output /made/yum/repodata/repomd.xml.asc /made/yum/repodata/repomd.xml

echo "== flat"
mkdir -p /made/flat
cp /packages/first_*.deb /made/flat/
cd /made/flat
# What `dpkg-scanpackages` and `apt-ftparchive release` write, without them.
for deb in ./*.deb; do
    dpkg-deb --field "$deb"
    printf 'Filename: %s\nSize: %s\nSHA256: %s\n\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -c1-64)"
done > Packages
gzip -9nk Packages
{
    printf 'Suite: flat\nSHA256:\n'
    for file in Packages Packages.gz; do
        printf ' %s %s %s\n' "$(sha256sum $file | cut -c1-64)" "$(stat -c %s $file)" "$file"
    done
} > Release
gpg --batch --armor --detach-sign --output Release.gpg Release
gpgconf --kill gpg-agent
echo "== done"
