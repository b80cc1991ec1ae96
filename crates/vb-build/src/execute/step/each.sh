# Does one thing to each file, and fails behind the last one when any of them failed.
# Arguments: what to do, then the files. Messages name the file and its line.
how=$1
shift

in_place() {
    cat /tmp/step-out >"$1" && rm /tmp/step-out
}

yui() {
    if yui-compressor --type "$1" --charset utf-8 -o /tmp/step-out "$2" >/tmp/step-log 2>&1; then
        in_place "$2"
    else
        # Without a place, what is left is a trace of the compressor itself.
        if ! sed -nE "s#^ *\[ERROR\] ([0-9]+:[0-9]+):#$2:\1: #p" /tmp/step-log | grep .; then
            head -n 4 /tmp/step-log
            echo "$2: yui-compressor cannot read it, and does not say where; it knows ECMAScript 5, and esbuild what came after that"
        fi
        return 1
    fi
}

one() {
    case $how in
    lessc) lessc --no-color "$1" "${1%.*}.css" ;;
    lessc-map) lessc --no-color --source-map "$1" "${1%.*}.css" ;;
    sass) sass --no-color --no-source-map "$1" "${1%.*}.css" ;;
    sass-map) sass --no-color "$1" "${1%.*}.css" ;;
    sassc) sassc "$1" "${1%.*}.css" ;;
    sassc-map) sassc --sourcemap=auto "$1" "${1%.*}.css" ;;
    msgfmt) msgfmt --check-format --output-file="${1%.po}.mo" "$1" ;;
    yui-compressor-css) yui css "$1" ;;
    yui-compressor-js) yui js "$1" ;;
    esbuild-*) esbuild --minify --log-level=warning --color=false --outfile=/tmp/step-out "$1" && in_place "$1" ;;
    *) echo "step: unknown: $how" && return 1 ;;
    esac
}

failed=0
for file; do
    one "$file" || failed=1
done
exit $failed
