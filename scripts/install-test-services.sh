#!/usr/bin/env bash
# Installs what tests need beside the packages of the project: redis-server, pgbouncer and faketime by apt; LocalStack and generators of
# clients outside the checkout. With --beside-docker, only what a Docker engine does not bring. Ends at once when all is there,
# and may run twice at the same time. Nothing here starts anything: the tests start and end what they need (test/services).
set -euo pipefail

# The last version that runs on Python 3.10 and 3.11. Its own dependencies are not pinned, and today's do not fit it: it is
# installed as of the day when it was new.
version=4.13.1
as_of=2026-02-20

verifier=$(dirname "${BASH_SOURCE[0]}")/../test/clients/verify-log
generators=$(dirname "${BASH_SOURCE[0]}")/../test/clients/generators
cache=${TEST_SERVICES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/logferry}
target=$cache/localstack-$version
building=$target.$$
trap 'rm -rf "$building"' EXIT
failed=0

has_localstack() { "$target/bin/python" -c 'import localstack.runtime' 2>/dev/null; }

say() { printf '%s\n' "$*" >&2; }

install_redis() {
  command -v redis-server >/dev/null && return
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say 'redis-server is missing: install it with the package manager of this system.'
    return 1
  fi
  say 'Installing redis-server…'
  install_packages redis-server
}

install_pgbouncer() {
  PATH=$PATH:/usr/sbin command -v pgbouncer >/dev/null && return
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say 'pgbouncer is missing: install it with the package manager of this system.'
    return 1
  fi
  say 'Installing pgbouncer…'
  install_packages pgbouncer
}

install_faketime() {
  command -v faketime >/dev/null && return
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say 'faketime is missing: install it with the package manager of this system.'
    return 1
  fi
  say 'Installing faketime…'
  install_packages faketime
}

install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  local options=(-qq -o DPkg::Lock::Timeout=300)
  apt-get "${options[@]}" update >&2 && apt-get "${options[@]}" install --yes --no-install-recommends "$@" >&2
}

find_python() {
  local name
  for name in python3 python3.13 python3.12 python3.11 python3.10; do
    if "$name" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  return 1
}

# Made beside its place and moved there at the end: one that was interrupted is never taken for a whole. `python -m` does not
# mind the move, only the scripts in bin/ would.
install_localstack() {
  has_localstack && return
  local python
  python=$(find_python) || {
    say 'LocalStack is missing, and there is no Python 3.10 to 3.13 to install it with.'
    return 1
  }
  say "Installing LocalStack $version in $target…"
  make_environment "$python" "$building" || return 1
  "$building/bin/pip" install --quiet --disable-pip-version-check uv >&2 || return 1
  # The certificates of the system, as pip and npm take them: a proxy may stand between.
  UV_SYSTEM_CERTS=true UV_NATIVE_TLS=true "$building/bin/uv" pip install --quiet --python "$building/bin/python" \
    --exclude-newer "$as_of" "localstack-core[runtime]==$version" >&2 || return 1
  has_localstack || rm -rf "$target"
  # Fails if another run was faster (where there is no flock); its environment is as good as ours.
  "$python" -c 'import os, sys; os.rename(*sys.argv[1:])' "$building" "$target" 2>/dev/null || has_localstack
}

make_environment() {
  "$1" -m venv "$2" >&2 && return
  # Debian has venv in a package of its own.
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  install_packages python3-venv && "$1" -m venv --clear "$2" >&2
}

# Generators of clients, for Python and TypeScript, of the versions that test/clients/generators names.
install_generators() {
  local place building python
  place=$cache/generators-$(node "$generators/version.mjs")
  [ -d "$place" ] && return
  python=$(find_python) || {
    say 'The generators of clients are missing, and there is no Python 3.10 to 3.13 to install them with.'
    return 1
  }
  say "Installing generators of clients in $place…"
  building=$place.$$
  mkdir -p "$building" && cp "$generators"/package.json "$generators"/package-lock.json "$building" || return 1
  (cd "$building" && npm ci --ignore-scripts --no-audit --no-fund --silent >&2) || return 1
  make_environment "$python" "$building/python" || return 1
  "$building/python/bin/pip" install --quiet --disable-pip-version-check -r "$generators/requirements.txt" >&2 || return 1
  mv "$building" "$place"
}

# A verifier of logs that nobody here wrote: Go's. Where there is no Go its test is skipped.
install_verifier() {
  local place
  command -v go >/dev/null || return 0
  place=$cache/verify-log-$(cat "$verifier"/go.mod "$verifier"/main.go | sha256sum | cut -c 1-12)
  [ -x "$place" ] && return
  say "Building $place…"
  (cd "$verifier" && go build -o "$place.$$" .) && mv "$place.$$" "$place"
}

mkdir -p "$cache"
if command -v flock >/dev/null; then
  exec 9>"$cache/install.lock"
  flock 9
fi
install_pgbouncer || failed=1
install_faketime || failed=1
install_generators || failed=1
install_verifier || failed=1
if [ "${1:-}" != --beside-docker ]; then
  install_redis || failed=1
  install_localstack || failed=1
fi
exit "$failed"
