#!/bin/sh
# Makes the secrets that dev.yml mounts, each once; what exists stays.
#   sh docker/compose/makeSecrets.sh
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
# The folder keeps other users of this machine out. The files must be readable to all: the containers' own users,
# which are others than yours, read them through a bind mount.
chmod 700 secrets
umask 022

random() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }
keep_or_make() { [ -s "secrets/$1" ] || printf '%s' "$2" > "secrets/$1"; }

keep_or_make redis_password.txt "$(random 24)"
keep_or_make postgres_password.txt "$(random 24)"
keep_or_make jwt_secret.txt "$(random 48)"
keep_or_make database_url.txt "postgres://sluice:$(cat secrets/postgres_password.txt)@postgres:5432/sluice"
echo "secrets are in $PWD/secrets"
