#!/bin/sh
# Try what was built: no generated C in the sdist, and the wheel works in an environment of its own.
#
#   tools/check_dist.sh PYTHON FOLDER
set -eu

python=$1
folder=$2
sdist=$(ls "$folder"/*.tar.gz)
wheel=$(ls "$folder"/*.whl)

if tar -tzf "$sdist" | grep -E '\.(c|so|pyd)$'; then
    echo "make build: the sdist $sdist ships the generated files above" >&2
    exit 1
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip --disable-pip-version-check --quiet install "$wheel[test]"
# Copied away from the source folder, so that what is imported is the wheel and not the sources.
cp tests/test_smoke.py "$scratch/"
(cd "$scratch" && venv/bin/python -m pytest --quiet -p no:cacheprovider test_smoke.py)
echo "$wheel and $sdist are good"
