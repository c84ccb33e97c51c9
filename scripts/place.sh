# Sourced by the other scripts: where the clone is (ROOT), which Python to build on (PYTHON), where packages go (VENV).
# VENV is .venv in the clone. When root starts the factory from a clone that other users cannot read (below a closed
# home directory), its unprivileged processes could not run from there: then VENV is below /var/lib, code included.

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

ROOT=$(cd "$(dirname "$0")/.." && pwd -P)

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

open_to_others() {
    [ $(($(stat -c '0%a' "$ROOT/src/imagefactory/__init__.py") & 4)) -ne 0 ] || return 1
    place=$ROOT/src/imagefactory
    while [ "$place" != / ]; do
        [ $(($(stat -c '0%a' "$place") & 1)) -ne 0 ] || return 1
        place=$(dirname "$place")
    done
}

good_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# The system's Python first: one below a home directory (pyenv) cannot be run by the factory's own user.
find_python() {
    for candidate in /usr/bin/python3 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 python3; do
        if command -v "$candidate" >/dev/null && good_python "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
}
PYTHON=$(find_python)

IN_PLACE=yes
if [ "$(id -u)" = 0 ] && ! open_to_others; then IN_PLACE=no; fi
if [ -n "${IMAGEFACTORY_VENV:-}" ]; then
    VENV=$IMAGEFACTORY_VENV
elif [ "$IN_PLACE" = no ]; then
    VENV=/var/lib/imagefactory/venv-$(printf '%s' "$ROOT" | sha256sum | cut -c1-12)
else
    VENV=$ROOT/.venv
fi
