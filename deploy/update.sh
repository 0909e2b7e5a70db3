#!/bin/sh
# Brings an installed Claude Runner to another commit of its checkout, and back if anything fails.
set -eu

usage() {
    cat <<'TEXT'
usage: deploy/update.sh [options] [REF]

Takes the installed service to REF, a tag, a branch of origin or a commit, looked for in this order
(default: the newest tag v*, or else origin's branch, and only if what runs is not newer): writes a
back-up, fetches, checks, stops, copies the database, checks the code out, installs, migrates, starts
and asks whether it is ready. If a step fails, code, environment, units and database become what they
were, and that is started again.

options:
  --commit HASH   REF must be this commit, all 40 digits
  --signed        REF must carry a signature that git verifies, by the keys of the checkout's owner:
                  a tag one of its own under this name, whatever else is named its commit
  --local         do not fetch: REF is in the checkout already
  --help          print this

exit status: 0 updated or nothing to do, 1 refused, nothing was changed, 2 failed and taken back,
3 failed and not taken back.
TEXT
}

say() { printf 'update: %s\n' "$*"; }
refuse() {
    printf 'update: %s Nothing was changed.\n' "$*" >&2
    exit 1
}

root=$(readlink -f -- "$0")
root=${root%/deploy/update.sh}
user=claude-runner
state=/var/lib/$user
# Directly in /run: in /run/lock everybody may make them first, and everybody who can read them hold them.
running=/run/claude-runner-update.running
lock=/run/claude-runner-update.lock
KEEP=5 # back-ups from before an update
before=$state/before-update
ready_s=120

ref='' named=no expected='' signed=no fetch=yes stage=nothing kept=no

options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --commit)
            [ $# -ge 2 ] || refuse "--commit needs a value."
            expected=$2
            shift
            ;;
        --signed) signed=yes ;;
        --local) fetch=no ;;
        --help)
            usage
            exit 0
            ;;
        -*) refuse "$1 is no option; --help lists them." ;;
        *)
            [ -z "$ref" ] || refuse "One REF can be named, and $ref was."
            ref=$1 named=yes
            ;;
        esac
        shift
    done
}

# git as whoever the checkout belongs to: git refuses another user's, and as root it would carry out
# what that user wrote into .git. It may leave a clean-up behind, which must not hold our lock.
git_() {
    if [ "$owner" = root ]; then
        git -C "$root" -c safe.directory="$root" "$@" 8>&-
    else
        runuser -u "$owner" -- env HOME="$(getent passwd "$owner" | cut -d: -f6)" git -C "$root" "$@" 8>&-
    fi
}

setting() {
    "$root/deploy/as-service.sh" settings list --json |
        python3 -I -c 'import json, sys
print(next(s["value"] or "" for s in json.load(sys.stdin)["settings"] if s["name"] == sys.argv[1]))' "$1"
}

# Held to the end of this script: a second update would take the copy of the database from the first.
alone() {
    [ "$(id -u)" = 0 ] || refuse "Run it as root."
    (umask 077 && : >>"$running")
    exec 8>>"$running"
    flock --nonblock 8 || refuse "Another update is at work."
}

check() {
    [ -e /etc/systemd/system/claude-runner.service ] || refuse "It is not installed; run deploy/install.sh."
    [ -e "$root/.git" ] || refuse "$root is no clone of git: replace it by hand, as deploy/README.md says."
    owner=$(stat -c %U "$root/.git")
    [ "$owner" != "$user" ] || refuse "$root belongs to $user, which must not write its own program; run 'chown -R root: $root'."
    [ ! -e "$before" ] || refuse "An update before this one could not be taken back; bring the database in $before back or move it away."
    changed=$(git_ status --porcelain --untracked-files=no)
    [ -z "$changed" ] || refuse "$root has changes of its own; commit or undo them:
$changed
"
    if grep -qsE '^DATABASE_URL(_FILE)?=.' "$root/.env" || [ -e /etc/credstore/claude-runner.DATABASE_URL ]; then
        refuse "The database is PostgreSQL, which this can neither copy nor bring back; deploy/README.md has the steps."
    fi
}

# Sets $new, the commit that $ref names, and $tag, whether it names it as a tag. A full hash is no name.
find_commit() {
    tag=no found=$ref
    if ! printf %s "$ref" | grep -qxE '[0-9a-f]{40}'; then
        if git_ show-ref --quiet --verify "refs/tags/$ref"; then
            tag=yes found=refs/tags/$ref
        elif git_ show-ref --quiet --verify "refs/remotes/origin/$ref"; then
            found=refs/remotes/origin/$ref
        fi
    fi
    new=$(git_ rev-parse --quiet --verify "$found^{commit}") || refuse "$ref is neither tag, branch nor commit."
}

# A signed tag that somebody put under another name is an old release in the place of a new one.
verify() {
    if [ "$tag" = no ]; then
        git_ verify-commit "$new"
    else
        git_ verify-tag "$found" && [ "$(git_ for-each-ref --format='%(tag)' "$found")" = "$ref" ]
    fi
}

choose() {
    old=$(git_ rev-parse --verify HEAD)
    branch=$(git_ symbolic-ref --quiet --short HEAD || :)
    [ "$fetch" = no ] || git_ fetch --quiet --tags --prune origin || refuse "git could not fetch; its reason stands above."
    # With the suffix v1.0-rc1 comes before v1.0.
    [ -n "$ref" ] || ref=$(git_ -c versionsort.suffix=- tag --list 'v*' --sort=-version:refname | head -n 1)
    : "${ref:=origin/${branch:-HEAD}}"
    find_commit
    [ -z "$expected" ] || [ "$expected" = "$new" ] || refuse "$ref is $new and not $expected."
    [ "$signed" = no ] || verify || refuse "$ref has no signature of a known key."
    if [ "$old" = "$new" ]; then
        say "$ref is $new, which runs already"
        exit 0
    fi
    if [ "$named" = no ] && git_ merge-base --is-ancestor "$new" "$old"; then
        say "nothing is newer than $old, which runs; to go back to $ref, name it"
        exit 0
    fi
    say "from $old to $new ($ref)"
    git_ --no-pager log --oneline --max-count=20 "$old..$new"
}

back_up() {
    home=$(setting CLAUDE_RUNNER_HOME)
    [ -n "$home" ] || refuse "The settings cannot be read; see above."
    install -d -m 0700 -o "$user" -g "$user" "$state/backups"
    archive=$state/backups/before-$(printf %.12s "$new")-$(date -u +%Y%m%d-%H%M%S).tar.gz
    if [ -e "$home/jobs.db" ]; then
        "$root/deploy/as-service.sh" backup "$archive" || refuse "The back-up failed; its reason stands above."
    fi
    # The names begin with a commit, so their times sort them.
    find "$state/backups" -maxdepth 1 -name 'before-*.tar.gz' -printf '%T@ %p\n' | sort -rn |
        tail -n +$((KEEP + 1)) | cut -d ' ' -f 2- | while read -r archived; do rm -- "$archived"; done
}

# Held while nothing fits together: a start that a caller causes waits for it.
hold() {
    (umask 077 && : >>"$lock")
    exec 9>>"$lock"
    flock 9
}
let_go() { exec 9>&-; }

stop() {
    hold
    stage=changed
    systemctl stop claude-runner.service
}

keep() {
    mkdir -m 0700 "$before"
    kept=yes
    for name in jobs.db jobs.db-wal jobs.db-shm; do
        [ ! -e "$home/$name" ] || cp -p "$home/$name" "$before/"
    done
    : >"$before/complete"
}

change() {
    git_ checkout --quiet --detach "$new"
    if ! git_ diff --quiet "$old" "$new" -- requirements.txt; then
        rm -rf "$root/.venv.before"
        mv "$root/.venv" "$root/.venv.before"
    fi
    "$root/deploy/install.sh" --no-start
}

begin() {
    let_go
    systemctl reset-failed claude-runner.service 2>/dev/null || :
    systemctl start claude-runner.socket claude-runner.service || return 1
    port=$(sed -n 's/^ListenStream=127.0.0.1://p' /etc/systemd/system/claude-runner.socket)
    tries=0
    until curl --silent --fail --max-time 5 --output /dev/null "http://127.0.0.1:$port/readyz"; do
        # One that died once is not waited for.
        [ "$(systemctl show --value --property=NRestarts claude-runner.service)" = 0 ] || return 1
        tries=$((tries + 1))
        [ "$tries" -lt "$ready_s" ] || return 1
        sleep 1
    done
}

# shellcheck disable=SC2317 # called at the end
take_back() {
    say "taking it back to $old"
    hold
    systemctl stop claude-runner.service
    if [ -n "$branch" ]; then
        git_ checkout --quiet --force "$branch"
    else
        git_ checkout --quiet --force --detach "$old"
    fi
    if [ -e "$root/.venv.before" ]; then
        rm -rf "$root/.venv"
        mv "$root/.venv.before" "$root/.venv"
    fi
    if [ "$kept" = yes ] && [ -e "$before/complete" ]; then
        for name in jobs.db jobs.db-wal jobs.db-shm; do
            rm -f "$home/$name"
            [ ! -e "$before/$name" ] || cp -p "$before/$name" "$home/"
        done
    fi
    "$root/deploy/install.sh" --no-start
    begin
    [ "$kept" = no ] || rm -rf "$before"
}

# shellcheck disable=SC2317 # called by the trap
# Runs at every end; whatever failed after the first change is undone.
finish() {
    status=$?
    trap - EXIT INT TERM HUP
    [ "$stage" = changed ] || exit "$status"
    # Not as a condition: there the shell would go on after a step that failed.
    set +e
    (set -e && take_back)
    taken_back=$?
    if [ "$taken_back" = 0 ]; then
        say "$new failed; $old runs again, with the database as it was. The back-up: $archive" >&2
        exit 2
    fi
    say "$new failed, and $old could not be brought back. The database is kept in $before, the back-up is $archive; deploy/README.md says how to go on." >&2
    exit 3
}

main() {
    options "$@"
    alone
    check
    choose
    back_up
    trap finish EXIT
    trap 'exit 1' INT TERM HUP
    stop
    keep
    change
    begin
    stage=good
    rm -rf "$before" "$root/.venv.before"
    say "$new runs and is ready; the back-up from before is $archive"
}

main "$@"
exit 0
