#!/bin/sh
# Installs Claude Runner from this checkout as a service of systemd, on Debian or Ubuntu, as root.
# Running it again changes nothing that is there: it completes, and brings the units up to date.
set -eu

usage() {
    cat <<'TEXT'
usage: deploy/install.sh [options]

Installs this checkout as the service claude-runner: Debian's packages, a user, folders, the master
key, .env, units of systemd; starts it and prints a link to the dashboard that works once.

options:
  --public-url URL    https address under which a proxy on this machine serves it (with trust for
                      that proxy); written into .env if there is none yet
  --port PORT         where it listens on 127.0.0.1 (default: what is installed, else 8080)
  --no-start          install everything and start nothing
  --dry-run           print what would be done and do nothing
  --help              print this
TEXT
}

say() { printf 'install: %s\n' "$*"; }
fail() {
    printf 'install: %s\n' "$*" >&2
    exit 1
}

root=$(readlink -f -- "$0")
root=${root%/deploy/install.sh}
user=claude-runner
state=/var/lib/claude-runner
units=/etc/systemd/system
ready_s=120

public_url='' port='' start=yes dry=no

options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --public-url | --port)
            [ $# -ge 2 ] || fail "$1 needs a value."
            case $1 in --port) port=$2 ;; *) public_url=$2 ;; esac
            shift
            ;;
        --no-start) start=no ;;
        --dry-run) dry=yes ;;
        --help)
            usage
            exit 0
            ;;
        *) fail "$1 is no option; --help lists them." ;;
        esac
        shift
    done
    case $public_url in '' | https://?*) ;; *) fail "--public-url must begin with https://." ;; esac
    case $public_url in *[!A-Za-z0-9:/._-]*) fail "--public-url is no address." ;; esac
    case $port in *[!0-9]* | ??????*) fail "--port must be a number." ;; esac
}

# Carries out a command, or prints it.
act() {
    if [ "$dry" = yes ]; then printf '+ %s\n' "$*"; else "$@"; fi
}

# put MODE OWNER FILE: writes standard input there, unless it is there like that.
put() {
    beside="$3.new"
    if [ "$dry" = yes ]; then
        cat >/dev/null
        printf '+ write %s (%s %s)\n' "$3" "$1" "$2"
        return
    fi
    (umask 077 && cat >"$beside")
    chown "$2" "$beside"
    chmod "$1" "$beside"
    if cmp -s "$beside" "$3"; then rm "$beside"; else mv "$beside" "$3"; fi
}

check() {
    [ "$(id -u)" = 0 ] || fail "run it as root."
    command -v systemctl >/dev/null || fail "there is no systemd here; deploy/README.md says what else there is."
    command -v apt-get >/dev/null || fail "only Debian and Ubuntu are installed by this; deploy/README.md has the steps."
    case $root in
    *[!A-Za-z0-9/._-]*) fail "the path $root has a character that units cannot name; move the checkout to /opt/claude-runner." ;;
    /home/* | /root/*) fail "the service cannot see $root; move the checkout to /opt/claude-runner." ;;
    esac
    owner=$(stat -c %U "$root")
    [ "$owner" != "$user" ] || fail "$root belongs to $user, which must not write its own program; run 'chown -R root: $root'."
}

packages() {
    missing=''
    for pair in python3:python3 bwrap:bubblewrap git:git curl:curl dbus-daemon:dbus; do
        command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
    done
    python3 -I -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
    [ -n "$missing" ] || return 0
    say "installing$missing"
    act apt-get -q -o DPkg::Lock::Timeout=120 update
    # shellcheck disable=SC2086 # the names of packages
    DEBIAN_FRONTEND=noninteractive act apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends $missing
}

# systemd-run, by which commands act as the service, asks systemd over the bus.
bus() {
    [ -S /run/dbus/system_bus_socket ] || act systemctl start dbus.socket
}

# Ubuntu restricts user namespaces to programs that have a profile.
apparmor() {
    switch=/proc/sys/kernel/apparmor_restrict_unprivileged_userns
    [ -r "$switch" ] && [ "$(cat "$switch")" = 1 ] || return 0
    [ ! -e /etc/apparmor.d/claude-runner-bwrap ] || return 0
    say "letting bubblewrap make user namespaces (AppArmor)"
    put 0644 root:root /etc/apparmor.d/claude-runner-bwrap <"$root/deploy/apparmor/claude-runner-bwrap"
    act apparmor_parser -r /etc/apparmor.d/claude-runner-bwrap
}

folders() {
    getent passwd "$user" >/dev/null || act useradd --system --home-dir "$state" --shell /usr/sbin/nologin "$user"
    [ -d "$state" ] || act install -d -m 0700 -o "$user" -g "$user" "$state"
    [ -d /etc/credstore ] || act install -d -m 0700 /etc/credstore
    key=$state/master.key
    if [ ! -e "$key" ] && [ ! -e /etc/credstore/claude-runner.master.key ]; then
        [ ! -e "$state/home/jobs.db" ] || fail "$state/home holds a database, and its key $key is not there; bring it back."
        od -An -N32 -tx1 /dev/urandom | tr -d ' \n' | put 0600 "$user:$user" "$key"
        say "made the master key $key: keep a copy of it on another machine"
    fi
}

settings() {
    if [ -e "$root/.env" ]; then
        [ -z "$public_url" ] || grep -qx "PUBLIC_URL=$public_url" "$root/.env" ||
            fail "$root/.env is there already; set PUBLIC_URL=$public_url in it."
        return 0
    fi
    {
        echo "MCP_TRANSPORT=http"
        echo "CLAUDE_RUNNER_HOME=$state/home"
        echo "DYNAMIC_SERVERS_DIR=$state/dynamic_servers"
        echo "MASTER_KEY_FILE=$state/master.key"
        if [ -n "$public_url" ]; then
            echo "PUBLIC_URL=$public_url"
            echo "TRUSTED_PROXIES=127.0.0.1, ::1"
        fi
    } | put 0640 "root:$user" "$root/.env"
}

program() {
    say "making the environment of the program, if it is missing or outdated"
    act "$root/claude-runner" --version
    # The service cannot write byte code beside the program, and would compile it at every start.
    act "$root/.venv/bin/python" -m compileall -q "$root/gateway" "$root/supervisor" "$root/sandboxes"
}

unit_files() {
    old=$(sed -n 's/^ListenStream=127.0.0.1://p' "$units/claude-runner.socket" 2>/dev/null || :)
    : "${port:=${old:-8080}}"
    for name in claude-runner.service claude-runner.socket claude-runner-backup.service claude-runner-backup.timer; do
        sed -e "s|/opt/claude-runner|$root|g" -e "s|^ListenStream=.*|ListenStream=127.0.0.1:$port|" \
            "$root/deploy/systemd/$name" | put 0644 root:root "$units/$name"
    done
    act ln -sfn "$root/deploy/as-service.sh" /usr/local/bin/claude-runner
    act systemctl daemon-reload
    act systemctl --quiet enable claude-runner.socket claude-runner.service claude-runner-backup.timer
}

begin() {
    [ "$start" = yes ] || return 0
    if [ -n "$old" ] && [ "$old" != "$port" ]; then act systemctl stop claude-runner.socket; fi
    act systemctl start claude-runner.socket claude-runner-backup.timer claude-runner.service
    [ "$dry" = no ] || return 0
    curl --silent --fail --retry "$ready_s" --retry-delay 1 --retry-all-errors --output /dev/null \
        "http://127.0.0.1:$port/readyz" || fail "it does not become ready; look into 'journalctl -u claude-runner'."
    say "it runs, on http://127.0.0.1:$port"
    say "the dashboard, by a link that works once, for ten minutes:"
    "$root/deploy/as-service.sh" dashboard link
}

main() {
    options "$@"
    check
    packages
    bus
    apparmor
    folders
    settings
    program
    unit_files
    begin
}

main "$@"
exit 0
