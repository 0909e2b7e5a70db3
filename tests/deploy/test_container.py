"""The image and the compose file: what they copy and say, and with --full the image's steps."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
import yaml

from gateway.version import read_version
from tests.bootstrap.debian import BareDebian, bare_debian
from tests.bootstrap.test_fresh_machine import installer_settings
from tests.demonstrations import Demonstrations
from tests.deploy.installed import give_environment
from tests.deploy.machine import CHECKOUT, wait_for
from tests.deploy.test_installed import DICE
from tests.ports import free_port

DOCKER = CHECKOUT / "deploy" / "docker"
USER = 10001
PROGRAM = "/opt/claude-runner/claude-runner"
END_S = 60


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their texts, continued lines joined."""
    text = (DOCKER / "Dockerfile").read_text("utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in text.splitlines())]


def copy_context(target: Path) -> None:
    """Copy what `COPY . .` copies: the ignore file refuses everything and takes names back."""
    lines = (DOCKER / "Dockerfile.dockerignore").read_text("utf-8").split()
    assert lines[0] == "*"
    unwanted = shutil.ignore_patterns(*(line[3:] for line in lines if line.startswith("**/")))
    for name in (line[1:] for line in lines if line.startswith("!")):
        source, place = CHECKOUT / name, target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, ignore=unwanted)
        else:
            shutil.copy2(source, place)


def test_the_image_has_all_that_the_program_needs_and_nothing_of_the_owners(tmp_path: Path) -> None:
    """Ours: what is not named stays out, so a .env, a key or a home is never in an image."""
    copy_context(tmp_path)
    give_environment(tmp_path)
    shutil.rmtree(tmp_path / ".venv" / "lib")
    (tmp_path / ".venv" / "lib").symlink_to(Path(os.path.realpath(CHECKOUT / ".cache/venv/lib")))
    done = subprocess.run(
        [tmp_path / "claude-runner", "--version"],
        env={"PATH": os.defpath}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == f"claude-runner {read_version()}\n", done.stderr
    assert (tmp_path / "docs" / "examples" / "cat-facts" / "server.py").is_file()
    secret = ("*.env", ".env*", "*.key", "*.db")
    found = [
        path for path in tmp_path.rglob("*") for each in secret if fnmatch.fnmatch(path.name, each)
    ]
    assert found == []


def test_the_image_starts_an_init_process_as_a_plain_user() -> None:
    """Issue 9, What 4: init process, non-root."""
    said = dict(instructions())
    assert said["USER"] == str(USER)
    assert json.loads(said["ENTRYPOINT"]) == ["tini", "--", PROGRAM]
    assert f"--uid {USER}" in " ".join(rest for word, rest in instructions() if word == "RUN")


def test_the_compose_file_gives_the_container_no_rights() -> None:
    """Ours: what the sandbox needs is named line by line, and nothing is privileged."""
    service = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))["services"][
        "claude-runner"
    ]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert "privileged" not in service
    assert "cap_add" not in service
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["ports"] == ["127.0.0.1:8080:8080"]
    assert (DOCKER / service["build"]["context"]).resolve() == CHECKOUT


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a Debian")
def test_the_steps_of_the_image_end_with_a_confined_server(demonstrations: Demonstrations) -> None:
    """Issue 9, What 4: in a bare Debian; the user has no capability and cannot gain one."""
    assert dict(instructions())["FROM"] == "debian:bookworm-slim"
    with bare_debian("bookworm") as inside:
        for word, rest in instructions():
            if word == "RUN":
                run(
                    inside,
                    f"cd /opt/claude-runner 2>/dev/null || cd /; {rest}",
                    installer_settings(),
                )
            elif word == "COPY":
                copy_context(inside.root / "opt" / "claude-runner")
        with serving(inside) as env:
            made = call(inside, env, "create_mcp_server", {"name": "dice", "code": DICE})
            server = json.loads(made)["server"]
            assert (server["state"], server["sandbox"]) == ("ready", "strong")
            roll = {"tool": "mcp__dice__roll", "payload": {"sides": 1}}
            assert "1" in call(inside, env, "invoke_internal_mcp_tool", roll)
    result = "a server at the level strong, by a user without capabilities"
    demonstrations.record("Steps of the image in a bare Debian", 1, result)


def environment() -> dict[str, str]:
    """Return what ENV says, and a port that nobody has."""
    said = dict(instructions())["ENV"]
    return dict(word.split("=", 1) for word in said.split()) | {"PORT": str(free_port())}


def as_user(command: str) -> str:
    """Return a command line that runs as the image's user without any right."""
    rights = "--no-new-privs --bounding-set=-all --inh-caps=-all --clear-groups"
    return f"exec setpriv --reuid={USER} --regid={USER} {rights} {command}"


def script(inside: BareDebian, text: str) -> list[str]:
    """Write a script into the inside and return how root runs it there."""
    path = inside.root / "step.sh"
    path.write_text(f"#!/bin/sh\nset -eu\n{text}\n", "utf-8")
    path.chmod(0o755)
    return inside.command(0, path)


def run(inside: BareDebian, text: str, env: dict[str, str]) -> str:
    """Run a script to its end and return what it printed."""
    done = subprocess.run(
        script(inside, text),
        env={"PATH": os.defpath + ":/usr/sbin:/sbin", "HOME": "/", **env},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def call(inside: BareDebian, env: dict[str, str], tool: str, arguments: object) -> str:
    """Call a management tool from inside."""
    return run(inside, as_user(f"{PROGRAM} call {tool} '{json.dumps(arguments)}'"), env)


@contextmanager
def serving(inside: BareDebian) -> Generator[dict[str, str]]:
    """Run what the image runs, from when it is ready until the body ends."""
    env = environment()
    start = script(inside, as_user(f"tini -s -- {PROGRAM} serve"))
    full = {"PATH": os.defpath + ":/usr/sbin:/sbin", **env}
    with subprocess.Popen(start, env=full, stdin=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: is_ready(int(env["PORT"])), "a ready gateway")
            yield env
        finally:
            process.kill()
            process.wait(END_S)


def is_ready(port: int) -> bool:
    """Tell whether /readyz answers 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
