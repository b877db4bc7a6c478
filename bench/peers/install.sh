#!/bin/sh
# Installs what the benches are compared with: graphile-worker and protocol-kit with the Node.js that they need, and
# safe-eth-py in a Python environment of its own. Every package is pinned by its hash; no package script runs.
#
# Usage: bench/peers/install.sh
# Needs npm and Python 3.11 or newer with its venv module.
set -eu

folder=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
(cd "$folder" && npm ci --ignore-scripts --loglevel=error)
python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$folder/requirements.txt"
