#!/bin/sh
# Runs a program of the Python environment: scripts/with-venv.sh imagefactory up
set -eu
. "$(dirname "$0")/place.sh"
program=$1
shift
[ -x "$VENV/bin/$program" ] || fail "$VENV/bin/$program is not there. Run scripts/bootstrap.sh first."
PATH=$VENV/bin:$PATH exec "$VENV/bin/$program" "$@"
