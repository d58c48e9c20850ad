#!/bin/sh
# Entry point of the image: one of its commands, or any other program. exec, so that signals reach Node. The flags are those of
# package.json, where README says what for.
set -eu
command=${1:-api}
[ $# -eq 0 ] || shift
case $command in
  api | worker | doctor) program=$command/main.ts ;;
  migrate) program=prisma/migrate.ts ;;
  *) exec "$command" "$@" ;;
esac
# Where scripts/check-health.mjs looks for a worker.
[ "$command" != worker ] || export WORKER_PORT="${WORKER_PORT:-3001}"
# A batch of events is garbage before it has been copied twice.
[ "$command" != api ] || exec node --max-semi-space-size=32 "$program" "$@"
exec node --max-semi-space-size=8 --heap-growing-percent=50 "$program" "$@"
