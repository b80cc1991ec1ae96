# Has the old version remembered what there was? Its prerm is still there.
vb_remembered() {
    vb_prerm=$(dpkg-query --control-path @PACKAGE@ prerm 2>/dev/null) && grep -qs vb_remember "$vb_prerm"
}

# vb_is_since NANOSECONDS: after the upgrade began? dpkg unpacks this script before it calls the old version's prerm.
vb_is_since() {
    [ "$1" -ge "$(stat -c %.9Z "$0" | tr -d .,)" ]
}

# vb_changed DIRECTORY: since the upgrade began?
vb_changed() {
    vb_is_since "$(stat -L -c %.9Y "$1" | tr -d .,)"
}
