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
make minio_password "$(random 24)"
make milvus_token "root:$(random 24)"
milvus_password=$(cut -d: -f2- secrets/milvus_token)
make milvus_config "# Merged by Milvus into its own configuration; it has to agree with milvus_token and minio_password.
common: {security: {authorizationEnabled: true, defaultRootPassword: '$milvus_password'}}
minio: {accessKeyID: milvus, secretAccessKey: '$(cat secrets/minio_password)'}"
make metrics_key "replace this line with a key made by: docker compose run --rm migrate keys create prometheus --scope metrics"
echo "Keep a copy of docker/secrets/template_keys apart from the backups: without it no stored embedding can be read."
