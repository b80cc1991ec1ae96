# rpm calls nothing of the old version's before %pre.
vb_is_since() {
    return 1
}

vb_changed() {
    return 1
}
