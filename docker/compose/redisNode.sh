#!/bin/sh
# One Redis (or Valkey) node of dev.yml.
#   redisNode.sh start [arguments of the server]   runs it in the place of this shell
#   redisNode.sh health PORT                       exit code 0 when it answers PONG
# The password comes from a file and never stands in an argument, where `ps` would show it.
set -eu
secret="${REDIS_PASSWORD_FILE:-/run/secrets/redis_password}"
conf="${REDIS_CONF:-/etc/sluice/redis.conf}"
auth="${REDIS_AUTH_CONF:-/tmp/auth.conf}"

# The images of Valkey may come without the redis-* names.
tool() { command -v "redis-$1" || command -v "valkey-$1"; }

case "${1:-}" in
  start)
    shift
    umask 077
    password="$(cat "$secret")"
    [ -n "$password" ] || { echo "$secret is empty" >&2; exit 1; }
    printf 'requirepass "%s"\nmasterauth "%s"\n' "$password" "$password" > "$auth"
    server="$(tool server)"
    exec "$server" "$conf" --include "$auth" "$@"
    ;;
  health)
    REDISCLI_AUTH="$(cat "$secret")"
    export REDISCLI_AUTH
    cli="$(tool cli)"
    [ "$("$cli" -p "$2" ping)" = PONG ]
    ;;
  *)
    echo "usage: redisNode.sh start|health" >&2
    exit 2
    ;;
esac
