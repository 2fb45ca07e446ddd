#!/bin/sh
# Makes the containers of the replicas anew, one after the other: each is told to stop, drains, is replaced by one of the
# image and settings that docker-compose.yml now names, and must be healthy before the next one's turn.
#
#   docker/rolling-restart.sh             all replicas
#   docker/rolling-restart.sh api-2       one of them
set -eu
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || set -- api-1 api-2 api-3
for replica in "$@"; do
  docker compose up --detach --no-deps --force-recreate --wait "$replica"
  # The proxy asks for health every second and believes the second answer.
  sleep 3
done
