#!/bin/sh
# Make a virtual environment from a lock file and install this tree into it.
# Usage: environment.sh PYTHON FOLDER [LOCK]
set -eu
python=$1 folder=$2 lock=${3:-requirements.lock}

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || {
    echo "Plumbline needs Python 3.11 to 3.13; $python is $("$python" --version). Try: make PYTHON=python3.11 …" >&2
    exit 2
}
echo "Preparing $folder (once; takes a few minutes on a slow line) …"
"$python" -m venv "$folder" || {
    echo "This Python cannot make virtual environments. On Debian: apt-get install python3-venv" >&2
    exit 2
}
"$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$lock"
"$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
