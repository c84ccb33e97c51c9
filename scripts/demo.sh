#!/bin/sh
# From a bare machine to a first real image, and a factory that goes on running: installs what is missing, starts the
# factory, builds the example, pulls it back and runs it. Safe to run again; the second time is fast. `make demo` is this.
set -eu
here=$(dirname "$0")
sh "$here/bootstrap.sh" run
# The part that isolates builds needs root; asked now, because `up` itself never asks.
if [ "$(id -u)" != 0 ] && [ -t 0 ] && command -v sudo >/dev/null; then sudo -v || true; fi
sh "$here/with-venv.sh" imagefactory up
# Named, because the code may run from a copy that the factory's own user can read, without the examples.
exec sh "$here/with-venv.sh" imagefactory demo --example "$here/../examples/hello-web" "$@"
