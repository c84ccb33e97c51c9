#!/bin/sh
# Everything that must hold: the checks that read code, then the tests. pytest's closing line is the last line.
set -u
. "$(dirname "$0")/place.sh"
cd "$ROOT" || exit 1
PATH=$VENV/bin:$PATH
PYTHONPATH=$ROOT/src
export PATH PYTHONPATH
code=0
sh scripts/lint.sh </dev/null || code=1
# 5 means that no test was found, which is a failure too: the status is handed on as it is.
python -m pytest "$@" </dev/null || code=$?
exit $code
