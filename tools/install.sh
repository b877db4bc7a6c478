#!/bin/sh
# Installs the local chain and the published Safe contracts that the demo and the tests use.
#
# Everything comes from the npm registry that npm is configured for, pinned by hash in package-lock.json;
# no package script runs. Run it again at any time: it does nothing when the folder is up to date.
#
# Usage: tools/install.sh [FOLDER]
# FOLDER: default $COUNTERSIGN_TOOLS, else $XDG_CACHE_HOME/countersign/tools, else ~/.cache/countersign/tools
set -eu

source_dir=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
target=${1:-${COUNTERSIGN_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/countersign/tools}}

command -v npm >/dev/null 2>&1 || {
    echo "npm is missing; install Node.js 20 or newer, then run this again" >&2
    exit 1
}

mkdir -p "$target"
stamp=$target/.installed
if [ -f "$stamp" ] && cmp -s "$source_dir/package-lock.json" "$stamp"; then
    exit 0
fi

echo "Installing the local chain (anvil 1.7.1) and the Safe contracts 1.3.0, 1.4.1 and 1.5.0 from the npm registry into $target"
rm -f "$stamp"
cp "$source_dir/package.json" "$source_dir/package-lock.json" "$source_dir/.npmrc" "$target/"
# Warnings are kept quiet: safe-deployments asks for a newer Node than needed to read its JSON files.
(cd "$target" && npm ci --ignore-scripts --loglevel=error)
# Written last, so that a broken installation is repeated.
cp "$source_dir/package-lock.json" "$stamp"
