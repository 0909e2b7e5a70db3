"""Environments are built confined, once, shared and removed; nothing of the internet is needed."""

import json
import os
import re
import stat
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest

from sandboxes.packages import build
from sandboxes.packages.build import PackageIndex, Tools
from sandboxes.packages.build_step import BuildFailed
from sandboxes.packages.environments import Environments
from sandboxes.packages.recipe import NodeRecipe, PythonRecipe
from sandboxes.policy import MIB, Level
from tests.package_index import Index, serve_index
from tests.sandboxes.conftest import open_to_all, skip_unless_available

GUARD_S = 60.0
UV = Path(sys.executable).with_name("uv")
TOY = PythonRecipe(("toy==1.0",))

BACKEND = """
import json, os, socket, urllib.parse, zipfile
from pathlib import Path

def seen(path):
    try:
        return Path(path).read_text()
    except OSError as error:
        return type(error).__name__

def written(path):
    try:
        Path(path).write_text("x")
        return "written"
    except OSError as error:
        return type(error).__name__

def told(target):
    proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
    with socket.create_connection((proxy.hostname, proxy.port), 10) as near:
        near.sendall(f"CONNECT {target} HTTP/1.1\\r\\n\\r\\n".encode())
        return near.recv(100).split(b" ")[1].decode()

def connected(*place):
    try:
        socket.create_connection(place, 5).close()
        return "connected"
    except OSError as error:
        return type(error).__name__

def build_wheel(folder, settings=None, metadata=None):
    facts = {
        "secret": seen(SECRET),
        "cache": written(CACHE + "/planted"),
        "variables": sorted(os.environ),
        "root": os.getuid() == 0,
        "asked": {target: told(target) for target in ASKED},
        "past the proxy": connected("127.0.0.1", PORT),
    }
    name = "probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder, name), "w") as archive:
        archive.writestr("probe.json", json.dumps(facts))
        for name_inside, text in INFO.items():
            archive.writestr("probe-1.0.dist-info/" + name_inside, text)
    return name
"""
INFO = {
    "METADATA": "Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n",
    "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "RECORD": "",
}
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.fixture
def index() -> Generator[Index]:
    """An index with one toy package."""
    with serve_index() as served:
        served.add_wheel("toy", "1.0", {"toy.py": "VALUE = 1\n"})
        yield served


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where environments are kept."""
    skip_unless_available(Level.STRONG)
    open_to_all(tmp_path)
    return tmp_path / "environments"


@asynccontextmanager
async def opened(
    home: Path, index: Index, *, max_bytes: int = build.MAX_BYTES
) -> AsyncGenerator[Environments]:
    """Enter environments that are built at level strong, from the test's index."""
    variables = {"UV_DEFAULT_INDEX": index.url, "UV_HTTP_RETRIES": "0"}
    source = PackageIndex(variables)
    tools = Tools(Path(sys.executable), UV, Level.STRONG, index=source, max_bytes=max_bytes)
    with anyio.fail_after(GUARD_S):
        async with Environments(home, tools) as environments:
            yield environments


def ignore(_line: str) -> None:
    """Take no interest in progress."""


def libraries(environment: Path) -> Path:
    """Return where packages lie."""
    (found,) = environment.glob("lib/python3*/site-packages")
    return found


async def test_an_environment_is_built_once_and_is_there_the_next_time(
    home: Path, index: Index
) -> None:
    """Issue: cached by content, also for another gateway later."""
    async with opened(home, index) as environments:
        first = await environments.ensure(TOY, ignore)
    assert (libraries(first) / "toy.py").read_text("utf-8") == "VALUE = 1\n"
    asked = len(index.asked)
    async with opened(home, index) as environments:
        assert environments.built(TOY) is None
        assert await environments.ensure(TOY, ignore) == first
        built = environments.built(TOY)
    assert len(index.asked) == asked
    assert built is not None and built.key == first.parent.name
    assert built.at is not None and abs(built.at / 1000 - time.time()) < GUARD_S
    assert built.bytes is not None and built.bytes > 0


async def test_modules_are_compiled_and_readable_and_belong_to_no_server(
    home: Path, index: Index
) -> None:
    """Issue: a confined child cannot write bytecode; ours: it cannot change a shared library."""
    async with opened(home, index) as environments:
        found = libraries(await environments.ensure(TOY, ignore))
    compiled = found / "__pycache__" / f"toy.{sys.implementation.cache_tag}.pyc"
    assert compiled.is_file()
    for path in (found, found / "toy.py", compiled):
        mode = path.stat().st_mode
        assert mode & stat.S_IROTH and not mode & (stat.S_IWGRP | stat.S_IWOTH)
    if os.geteuid() == 0:
        assert (found / "toy.py").stat().st_uid == Tools(UV, UV, Level.STRONG).uid


async def test_two_servers_wait_for_one_build(home: Path, index: Index) -> None:
    """Issue: shared when equal, single-flight."""
    got: list[Path] = []
    async with opened(home, index) as environments:

        async def ask() -> None:
            got.append(await environments.ensure(PythonRecipe(TOY.requirements), ignore))

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            group.start_soon(ask)
    assert got[0] == got[1]
    assert index.asked.count("GET /index/toy/") == 1


async def test_progress_is_told_step_by_step(home: Path, index: Index) -> None:
    """Issue: a build step with progress."""
    said: list[str] = []
    async with opened(home, index) as environments:
        await environments.ensure(TOY, said.append)
    assert said[:2] == ["making a virtual environment", "resolving packages"]
    assert "+ toy==1.0" in said
    assert said[-1] == "compiling"


async def test_a_build_that_was_interrupted_is_done_again(home: Path, index: Index) -> None:
    """Issue: interrupted builds are repaired."""
    async with opened(home, index) as environments:
        left = home / environments.key(TOY)
        (left / "files" / "bin").mkdir(parents=True)
        (left / "files" / "bin" / "python").write_text("half", "utf-8")
        found = await environments.ensure(TOY, ignore)
    assert (libraries(found) / "toy.py").exists()


async def test_an_environment_that_lost_its_interpreter_is_built_anew(
    home: Path, index: Index
) -> None:
    """Ours: a system's Python may be upgraded under it."""
    async with opened(home, index) as environments:
        found = await environments.ensure(TOY, ignore)
        (found / "bin" / "python").unlink()
        assert (await environments.ensure(TOY, ignore) / "bin" / "python").exists()


async def test_a_build_that_nobody_waits_for_is_given_up(home: Path, index: Index) -> None:
    """Ours: a server that is deleted meanwhile leaves no process and no folder."""
    index.open.clear()
    async with opened(home, index) as environments:
        async with anyio.create_task_group() as group:

            def note(line: str) -> None:
                if line == "resolving packages":
                    group.cancel_scope.cancel()

            group.start_soon(environments.ensure, TOY, note)
        index.open.set()
        assert await environments.ensure(TOY, ignore)
    assert [path.name for path in home.iterdir() if path.name != "cache"] == [environments.key(TOY)]


async def test_an_unused_environment_is_removed_and_a_used_one_stays(
    home: Path, index: Index
) -> None:
    """Issue: garbage-collected when no server uses it any more."""
    index.add_wheel("other", "2.0", {"other.py": ""})
    other = PythonRecipe(("other",))
    async with opened(home, index) as environments:
        kept = await environments.ensure(TOY, ignore)
        gone = await environments.ensure(other, ignore)
        assert await environments.collect([TOY]) == (environments.key(other),)
        assert kept.exists() and not gone.exists()


async def test_requirements_that_cannot_be_met_say_so_for_good(home: Path, index: Index) -> None:
    """Issue: the resolver's last lines; no retry mends a declaration."""
    async with opened(home, index) as environments:
        with pytest.raises(BuildFailed, match=r"toy==9") as failed:
            await environments.ensure(PythonRecipe(("toy==9",)), ignore)
    assert failed.value.lasting
    assert failed.value.tail[-1].startswith("cause: Because there is no version of toy==9")
    assert [path.name for path in home.iterdir()] == ["cache"]


async def test_an_index_that_is_down_may_be_up_the_next_time(home: Path, index: Index) -> None:
    """Ours: a fault of the network is tried again with the server's next start."""
    index.url = "http://127.0.0.1:1/index"
    async with opened(home, index) as environments:
        with pytest.raises(BuildFailed) as failed:
            await environments.ensure(TOY, ignore)
    assert not failed.value.lasting


async def test_a_package_without_a_wheel_is_refused_and_its_code_does_not_run(
    home: Path, index: Index
) -> None:
    """Issue: wheels only."""
    index.add_source(
        "probe", "1.0", {"pyproject.toml": PYPROJECT, "backend.py": "raise SystemExit"}
    )
    async with opened(home, index) as environments:
        with pytest.raises(BuildFailed, match="package 'probe' has no wheel for") as failed:
            await environments.ensure(PythonRecipe(("probe",)), ignore)
    assert failed.value.lasting
    assert '"allow_source_builds": true' in str(failed.value)


async def test_a_source_build_that_the_owner_allowed_sees_nothing_of_the_gateway(
    home: Path, index: Index, tmp_path: Path
) -> None:
    """Issue: builds run confined too; no credentials, no gateway files."""
    secret = tmp_path / "gateway.env"
    secret.write_text("OAUTH_SECRET_KEY=very-secret", "utf-8")
    secret.chmod(0o644)
    port = urlsplit(index.url).port
    asked = (
        f"127.0.0.1:{port}",
        "127.0.0.1:22",
        "index.example.com:443",
        "registry.example.com:443",
    )
    constants = f"ASKED = {asked!r}\nPORT = {port}\nINFO = {INFO!r}\n"
    constants += f"SECRET = {str(secret)!r}\nCACHE = {str(home / 'cache')!r}\n"
    index.add_source(
        "probe", "1.0", {"pyproject.toml": PYPROJECT, "backend.py": constants + BACKEND}
    )
    recipe = PythonRecipe(("probe",), source_builds=True)
    async with opened(home, index) as environments:
        await environments.ensure(TOY, ignore)
        found = libraries(await environments.ensure(recipe, ignore))
    facts = json.loads((found / "probe.json").read_text("utf-8"))
    assert facts["secret"] == "FileNotFoundError"
    assert facts["cache"] == "FileNotFoundError"
    assert facts["root"] is False
    assert list(facts["asked"].values()) == ["200", "400", "403", "403"]
    assert facts["past the proxy"] == "ConnectionRefusedError"
    assert not {name for name in facts["variables"] if "SECRET" in name or "KEY" in name}


async def test_a_build_that_grows_too_large_is_stopped_while_it_installs(
    home: Path, index: Index
) -> None:
    """Issue: the ceiling holds during installation, and the reason is named."""
    index.add_wheel("large", "1.0", {"large.py": "", "zeros": "0" * 24 * MIB})
    index.add_wheel("slow", "1.0", {"slow.py": ""})
    # Its first download tells the resolver what it is, the second one is for the installation.
    index.holds, index.passes = "GET /files/slow", 1
    index.open.clear()
    recipe = PythonRecipe(("large", "slow"))
    async with opened(home, index, max_bytes=8 * MIB) as environments:
        with pytest.raises(BuildFailed, match="its downloads take more than"):
            await environments.ensure(recipe, ignore)
        assert not any(home.iterdir())


async def test_a_password_of_the_index_is_in_no_line_of_a_build(home: Path, index: Index) -> None:
    """Issue: the index's own credentials are handled safely."""
    index.url = index.url.replace("://", "://me:very-secret@")
    said: list[str] = []
    async with opened(home, index) as environments:
        with pytest.raises(BuildFailed) as failed:
            await environments.ensure(PythonRecipe(("absent",)), said.append)
    assert "very-secret" not in " ".join((str(failed.value), *failed.value.tail, *said))


async def test_code_that_a_wheel_hides_in_a_path_file_does_not_run_in_the_build(
    home: Path, index: Index
) -> None:
    """Ours: a `.pth` file runs in every interpreter that starts in its environment."""
    line = "import pathlib, sys; pathlib.Path(sys.prefix, 'planted').touch()\n"
    index.add_wheel("toy", "1.1", {"toy.py": "", "toy.pth": line})
    async with opened(home, index) as environments:
        found = await environments.ensure(PythonRecipe(("toy==1.1",)), ignore)
    assert (libraries(found) / "toy.pth").exists()
    assert not (found / "planted").exists()


async def test_a_machine_without_uv_is_told_what_to_do(home: Path) -> None:
    """Ours."""
    tools = Tools(Path(sys.executable), home / "uv", Level.STRONG)
    async with Environments(home, tools) as environments:
        with pytest.raises(build.BuildRefused, match=r"run ./claude-runner once"):
            await environments.ensure(TOY, ignore)


def test_equal_declarations_have_equal_keys_and_others_do_not(tmp_path: Path) -> None:
    """Issue: a hash of requirements, interpreter and platform."""
    tools = Tools(Path(sys.executable), UV, Level.OFF)
    key = Environments(tmp_path, tools).key
    other = Environments(tmp_path, Tools(Path("/bin/sh"), UV, Level.OFF)).key
    assert key(TOY) == key(PythonRecipe(TOY.requirements, added=TOY.requirements))
    assert len({key(TOY), key(PythonRecipe(("toy",))), other(TOY)}) == 3
    assert key(NodeRecipe((), "{}")) != key(NodeRecipe((), "{}", "{}"))


async def test_a_lock_names_every_package_and_holds_the_index_to_its_digests(
    home: Path, index: Index
) -> None:
    """Issue 9, What 3: pinned by version and digest; what was changed on the index is refused."""
    index.add_wheel("toy", "2.0", {"toy.py": "VALUE = 2\n"})
    async with opened(home, index) as environments:
        locked = await environments.lock(PythonRecipe(("toy",)), ignore)
        assert isinstance(locked, PythonRecipe) and locked.is_locked
        (line,) = locked.requirements
        assert re.fullmatch(r"toy==2.0 --hash=sha256:[0-9a-f]{64}", line)
        assert [path.name for path in home.iterdir()] == ["cache"]
        index.add_wheel("toy", "2.0", {"toy.py": "VALUE = 'another'\n"})
        with pytest.raises(BuildFailed, match=r"toy==2\.0 is not what it was pinned to") as failed:
            await environments.ensure(locked, ignore)
        with pytest.raises(BuildFailed, match=r"toy==9"):
            await environments.lock(PythonRecipe(("toy==9",)), ignore)
    assert failed.value.lasting
    assert [path.name for path in home.iterdir()] == ["cache"]
