#!/bin/sh
# Make the virtual environment that the Makefile works in, or say which package is missing.
#
#   tools/environment.sh FOLDER [PYTHON]
#
# Needs Python 3.11 or newer with venv and its headers, and a C compiler. Each is
# checked by trying it, because a distribution may ship any of them apart.
set -eu

folder=$1
wanted=${2:-}

fail() {
    echo "make: $1" >&2
    shift
    for line in "$@"; do echo "    $line" >&2; done
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Newest last is on purpose: what the user calls python3 comes first, then what every dependency
# surely has wheels for.
find_python() {
    for candidate in python3 python3.13 python3.12 python3.11 python3.14 python; do
        if command -v "$candidate" >/dev/null 2>&1 && is_new_enough "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

if [ -n "$wanted" ]; then
    python=$(command -v "$wanted") || fail "PYTHON=$wanted: there is no such command"
    is_new_enough "$python" || fail "PYTHON=$wanted is older than Python 3.11, which fastrec needs"
else
    python=$(find_python) || fail "Python 3.11 or newer is missing; install it:" \
        "Debian, Ubuntu: apt-get install python3 python3-venv python3-dev" \
        "Fedora:         dnf install python3 python3-devel" \
        "macOS:          brew install python@3.13" \
        "or name one with PYTHON=/path/to/python3"
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python cannot make virtual environments; install its venv module:" \
        "Debian, Ubuntu: apt-get install python$version-venv" \
        "Fedora:         dnf install python$version" \
        "macOS:          brew install python@$version"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What setuptools will call: CC, or the compiler that this Python was built with. Either may hold
# options after the command, so it is split on purpose.
compiler=${CC:-$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("CC") or "cc")')}
echo 'int main(void) { return 0; }' >"$scratch/compiler.c"
# shellcheck disable=SC2086
$compiler -o "$scratch/compiler" "$scratch/compiler.c" 2>/dev/null ||
    fail "no working C compiler: '$compiler' fails; install one:" \
        "Debian, Ubuntu: apt-get install gcc libc6-dev" \
        "Fedora:         dnf install gcc" \
        "macOS:          xcode-select --install" \
        "or name one that is there, such as CC=clang"

headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
printf '#include <Python.h>\nint main(void) { return 0; }\n' >"$scratch/headers.c"
# shellcheck disable=SC2086
$compiler -I"$headers" -c -o "$scratch/headers.o" "$scratch/headers.c" 2>/dev/null ||
    fail "the headers of $python are missing ($headers/Python.h); install them:" \
        "Debian, Ubuntu: apt-get install python$version-dev" \
        "Fedora:         dnf install python3-devel" \
        "macOS:          brew install python@$version"

"$python" -m venv "$folder"
