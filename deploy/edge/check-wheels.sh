#!/bin/sh
# Does every package a gateway needs exist as a ready wheel for 64-bit Raspberry Pi OS? Compiles nothing.
# Usage: deploy/edge/check-wheels.sh   (after make test, which makes .venv)
set -eu
.venv/bin/pip install --quiet --disable-pip-version-check uv
for version in 3.11 3.12 3.13; do
    .venv/bin/uv pip compile pyproject.toml --extra edge --constraint requirements.lock --only-binary :all: \
        --python-platform aarch64-manylinux_2_31 --python-version "$version" --quiet --no-header \
        --no-emit-index-url --no-emit-find-links --output-file /dev/null
    echo "Python $version on aarch64: every wheel is there"
done
