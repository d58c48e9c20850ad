#!/bin/sh
# Writes prisma/generated anew from prisma/schema.prisma: after each change of it. The client is kept in the repository, so that a
# deployment needs none of the tools that make it.
#   generate-client.sh [PRISMA]   the command line of Prisma; without one, npm fetches it
set -eu
cd "$(dirname "$0")/.."
# Its schema engine is not needed for that, only looked for: any file will do, and nothing is downloaded.
export PRISMA_SCHEMA_ENGINE_BINARY="$0" CHECKPOINT_DISABLE=1 PRISMA_HIDE_UPDATE_MESSAGE=1
if [ $# -gt 0 ]; then exec "$@" generate; fi
version=$(node -p 'JSON.parse(fs.readFileSync("node_modules/@prisma/client/package.json")).version')
exec npm exec --yes --ignore-scripts --package="prisma@$version" -- prisma generate
