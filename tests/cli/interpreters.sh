# Installs packages that need Python 3.11 while it is there, gone, another version, diverted, or on its way.
set -eu

python=/usr/bin/python3.11
case "$1" in
    deb)
        install() { dpkg --force-depends --install /packages/vrmd-"$1"_1.0_*.deb >/tmp/said 2>&1; }
        remove() { dpkg --purge vrmd-"$1" >/dev/null 2>&1; }
        ;;
    rpm)
        install() { rpm --install --nodeps /packages/vrmd-"$1"-1.0-1.*.rpm >/tmp/said 2>&1; }
        remove() { rpm --erase vrmd-"$1" >/dev/null 2>&1; }
        ;;
esac

fail() {
    echo "$1" >&2
    cat /tmp/said >&2
    exit 1
}

installs() {
    install "$1" || fail "$1 was not installed"
    [ -e /srv/vrmd-"$1" ] || fail "$1 has no file"
    remove "$1" || fail "$1 was not removed"
}

# Neither of the packages is installed, and each says every one of the texts.
refused() {
    for kind in made written; do
        if install "$kind"; then fail "vrmd-$kind was installed"; fi
        [ ! -e /srv/vrmd-"$kind" ] || fail "vrmd-$kind was unpacked"
        if grep -q '^written' /tmp/said; then fail "the hand-written script ran first"; fi
        for text in "vrmd-$kind: it needs Python 3.11, and $python is not that." "$@"; do
            grep -qF "$text" /tmp/said || fail "nobody said: $text"
        done
    done
}

echo "== it is there"
installs made
installs written
grep -q '^written' /tmp/said || fail "the hand-written script did not run"

echo "== it is gone"
mv "$python" /usr/bin/aside
case "$1" in
    deb) refused "There is no such file." "apt-get install --reinstall python3.11-minimal" ;;
    rpm) refused "There is no such file." "rpm --verify --file $python" ;;
esac

echo "== it is a link to nothing"
ln -s /usr/local/bin/none "$python"
refused "It is a link to /usr/local/bin/none, where nothing is."
rm "$python"

echo "== it is another version"
printf '#!/bin/sh\nprintf 3.9\n' >"$python"
refused "It cannot be executed."
chmod 755 "$python"
refused "Asked for its version, it says: 3.9"

if [ "$1" = deb ]; then
    echo "== it is diverted"
    dpkg-divert --rename --divert /usr/bin/python3.11.real --add "$python" >/dev/null
    refused "There is no such file." "Somebody has diverted it to /usr/bin/python3.11.real"
    dpkg-divert --rename --remove "$python" >/dev/null

    echo "== it is on its way"
    sed -i '/^Package: python3.11$/,/^$/ s/^Status: .*/Status: install ok unpacked/' /var/lib/dpkg/status
    installs made
else
    echo "== it is required before the script runs, and afterwards"
    required=$(rpm -qp --queryformat '[%{REQUIREFLAGS:deptype} %{REQUIRENAME}\n]' /packages/vrmd-made-*.rpm)
    echo "$required" | grep -qx 'pre python3.11' || fail "$required"
    echo "$required" | grep -qx 'manual python3.11' || fail "$required"
fi

rm "$python"
mv /usr/bin/aside "$python"
installs written
echo "== done"
