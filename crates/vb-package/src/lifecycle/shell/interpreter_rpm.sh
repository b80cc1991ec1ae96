if ! vb_says_version @COMMAND@ @VERSION@; then
    {
        vb_tell_interpreter @COMMAND@ @VERSION@
        echo "  This says whose it is, and what has become of it: rpm --verify --file @COMMAND@"
    } >&2
    exit 1
fi
