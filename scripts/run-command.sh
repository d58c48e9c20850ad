#!/bin/sh
# Runs one of our programs with its flags: for npm's scripts, and as the entry point of the image, where it runs any other
# program too. exec, so that signals reach Node.
set -eu
cd "$(dirname "$0")/.."
. scripts/node-flags.env
command=${1:-api}
[ $# -eq 0 ] || shift
case $command in
  api) program=api/main.ts NODE_FLAGS=$API_NODE_FLAGS ;;
  worker | doctor | bench) program=$command/main.ts ;;
  migrate) program=prisma/migrate.ts ;;
  reseal) program=prisma/secret-key/main.ts ;;
  # The worker is a process of its own there.
  start) program=local/start.ts NODE_FLAGS=$API_NODE_FLAGS ;;
  demo) program=local/demo/demo.ts NODE_FLAGS=$API_NODE_FLAGS ;;
  *) exec "$command" "$@" ;;
esac
# The image has Node of itself; elsewhere it is one of the packages.
node=node_modules/.bin/node
[ -x "$node" ] || node=node
# shellcheck disable=SC2086
exec "$node" $NODE_FLAGS "$program" "$@"
