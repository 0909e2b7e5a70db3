#!/bin/sh
# backup.sh FOLDER: writes a back-up there and removes all but the newest; claude-runner-backup.timer runs it.
set -eu
KEEP=14

root=$(readlink -f -- "$0")
root=${root%/deploy/backup.sh}
folder=$1

"$root/claude-runner" backup "$folder/claude-runner-$(date -u +%Y%m%d-%H%M%S).tar.gz"
# The names are ours and sort by time.
find "$folder" -maxdepth 1 -name 'claude-runner-*.tar.gz' | sort -r | tail -n +$((KEEP + 1)) |
    while read -r old; do
        rm -- "$old"
    done
