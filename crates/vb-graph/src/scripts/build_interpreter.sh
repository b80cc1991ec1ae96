# Compiles CPython: sources $1, prefix $2, version $3, then the command that makes bytecode. The prefix is writable and
# empty; the tests go to a directory of their own.
set -eu
source=$1 prefix=$2 version=$3
shift 3
library=$prefix/lib/python$version

mkdir -p "$WORK/source"
tar -xf "$source" -C "$WORK/source" --strip-components=1 --no-same-owner
cd "$WORK/source"
options="--prefix=$prefix --with-ensurepip=no --without-static-libpython --disable-option-checking"
# What the distribution mends of libraries shall count here, too; those with no header come with CPython.
[ ! -e /usr/include/expat.h ] || options="$options --with-system-expat"
# The options have no blanks: a prefix is a clean path.
# shellcheck disable=SC2086
./configure $options
# Where it looks when it cannot tell from its own path: with room for a longer prefix, which may take the place of this.
room='\\0\\0\\0\\0\\0\\0\\0\\0'
room=$room$room$room$room
room=$room$room$room$room
for name in PREFIX EXEC_PREFIX; do
    sed -i "s/\"$name\", $name)/\"$name\", $name \"$room\")/" Modules/getpath.c
done
make -j"$(nproc)"
# Bytecode is made at the end; here only what cannot be left out.
make install COMPILEALL_OPTS=-l

# What cannot run without Tk, and what only tests are for.
rm -rf "$library/idlelib" "$library/tkinter" "$library/turtledemo" "$library/turtle.py" "$prefix"/bin/idle3*
find "$prefix" -depth -name __pycache__ -exec rm -rf {} +
mkdir -p "$TESTS"
cp -R "$library/test/." "$TESTS/"
rm -rf "$library/test"

# The directory of the build says nothing where the interpreter runs.
grep -rlI --null "$WORK/source" "$prefix" | xargs -0 -r sed -i "s|$WORK/source|/usr/src/python$version|g"

# A module that is run as a script is run by this interpreter.
find "$library" -name '*.py' -exec sed -i "1s|^#!.*python.*|#!$prefix/bin/python$version|" {} +

# Bytecode is made last, of what the sources are by now.
exec "$@"
