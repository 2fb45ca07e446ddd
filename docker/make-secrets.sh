#!/bin/sh
# Makes the secrets that docker-compose.yml mounts, each only where it does not exist yet. They are readable by every
# user of the containers, and on this machine by nobody but the owner of the folder.
set -eu
cd "$(dirname "$0")"

random() { # bytes, in base64 on one line
  head -c "$1" /dev/urandom | base64 | tr -d '\n'
}

make() { # name, content
  [ -e "secrets/$1" ] && return
  printf '%s\n' "$2" > "secrets/$1"
  chmod 444 "secrets/$1"
  echo "made docker/secrets/$1"
}

umask 077
mkdir -p secrets
make postgres_password "$(random 24)"
make template_keys "$(random 32)"
make grafana_password "$(random 18)"
make metrics_key "replace this line with a key made by: docker compose run --rm migrate keys create prometheus --scope metrics"
echo "Keep a copy of docker/secrets/template_keys apart from the backups: without it no stored embedding can be read."
