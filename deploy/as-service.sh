#!/bin/sh
# Runs a command of Claude Runner as the installed service would: as its user, in its folder, with its
# credentials. install.sh makes it /usr/local/bin/claude-runner, for root.
set -eu

unit=/etc/systemd/system/claude-runner.service
root=$(readlink -f -- "$0")
root=${root%/deploy/as-service.sh}
user=$(sed -n 's/^User=//p' "$unit")

[ "$(id -u)" = 0 ] || {
    echo "claude-runner: only root can act as the service; run it with sudo." >&2
    exit 2
}
if [ -t 0 ] && [ -t 1 ]; then streams=--pty; else streams=--pipe; fi
# What systemd loads for the service it loads for the command.
# shellcheck disable=SC2046 # one word a line, without spaces
exec systemd-run --quiet --collect --wait "$streams" --uid="$user" --working-directory="/var/lib/$user" \
    $(sed -n 's/^LoadCredential=/--property=&/p' "$unit") \
    "$root/claude-runner" "$@"
