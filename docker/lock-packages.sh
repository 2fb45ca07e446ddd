#!/bin/sh
# Locks the packages of the images, with hashes, from the ranges in pyproject.toml. What is locked already stays where it
# is within its range; delete a file to lock it anew. Needs uv (https://docs.astral.sh/uv).
set -eu
cd "$(dirname "$0")/.."

lock() { # image, platforms, extras...
  image=$1 platforms=$2
  shift 2
  for extra in "$@"; do set -- "$@" --extra "$extra"; shift; done
  uv pip compile pyproject.toml "$@" $platforms --python-version 3.13 --generate-hashes --no-annotate \
    --custom-compile-command docker/lock-packages.sh --quiet --output-file "docker/requirements-$image.txt"
}

lock cpu --universal cpu milvus
lock gpu --python-platform=x86_64-manylinux_2_28 gpu milvus
lock train --python-platform=x86_64-manylinux_2_28 cpu train
