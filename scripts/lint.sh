#!/bin/sh
# Every check that reads code: all of them run, and the exit status says whether one failed.
set -u
. "$(dirname "$0")/place.sh"
cd "$ROOT" || exit 1
PATH=$VENV/bin:$PATH
PYTHONPATH=$ROOT/src
export PATH PYTHONPATH
failed=""

check() {
    name=$1
    shift
    printf '== %s\n' "$name"
    "$@" || failed="$failed $name"
}

no_missing_migrations() {
    # Settings want an address; nothing connects to it.
    IMAGEFACTORY_DATA_DIR=$(mktemp -d) || return 1
    export IMAGEFACTORY_DATA_DIR
    DJANGO_SETTINGS_MODULE=imagefactory.settings.django \
        python -W ignore::RuntimeWarning -m django makemigrations --check --dry-run
    code=$?
    rm -rf "$IMAGEFACTORY_DATA_DIR"
    unset IMAGEFACTORY_DATA_DIR
    return $code
}

check "ruff check" ruff check .
check "ruff format" ruff format --check .
check "mypy" mypy
check "import rules" lint-imports --no-logo
if [ -d src/imagefactory/entry/web/templates ]; then
    check "djlint" djlint --lint --quiet src/imagefactory/entry/web/templates
fi
check "migrations" no_missing_migrations
[ -z "$failed" ] || { printf 'Failed:%s\n' "$failed"; exit 1; }
