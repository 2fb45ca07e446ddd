#!/bin/sh
# Makes the containers of the replicas anew, one after the other: each is told to stop, drains, is replaced by one of the
# image and settings that docker-compose.yml now names, and must be healthy before the next one's turn.
#
#   docker/rolling-restart.sh             all replicas of UPSTREAMS in .env
#   docker/rolling-restart.sh api-2       one of them
set -eu
cd "$(dirname "$0")/.."

if [ $# -eq 0 ]; then
  [ -n "${UPSTREAMS-}" ] || UPSTREAMS=$(sed -n 's/^UPSTREAMS=//p' .env 2>/dev/null | tail -n 1)
  # shellcheck disable=SC2046 # one word for each replica
  set -- $(printf '%s\n' "${UPSTREAMS:-api-1:8000 api-2:8000 api-3:8000}" | tr -d "\"'" | sed 's/:[0-9]*//g')
fi
for replica in "$@"; do
  docker compose up --detach --no-deps --force-recreate --wait "$replica"
  # The proxy asks for health every second and believes the second answer.
  sleep 3
done
