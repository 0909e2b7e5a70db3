"""`backup`, `restore` and `reset`: a home moves to another machine without a secret in clear."""

import asyncio
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from gateway.backup.restoring import RESTORED
from gateway.domain.clock import utc_ms
from gateway.domain.notice import NoticeState, Occasion, new_notice
from gateway.domain.run import RunStatus
from gateway.domain.run_file import LeftFiles, RunFile, RunFileSet
from gateway.servers.grants import GrantFiles, Grants
from gateway.store.schema import notices
from sandboxes.ownership import WAY
from tests.cli.gateways import Place, make_place
from tests.cli.shell import Shell
from tests.databases import open_store
from tests.store import examples
from tests.tools.servers import server_code

pytestmark = pytest.mark.timeout(180)

KEEPER = server_code(
    {"tail": {"type": "object"}},
    'return {"content": [], "structuredContent": {"tail": os.environ.get("ADDER_KEY", "")[-4:]}}',
)
SECRET = "correct-horse-battery-9"
API_KEY = "sk-ant-nothing-of-this-may-leave"
UNFINISHED = {
    "run_waits": RunStatus.QUEUED,
    "run_starts": RunStatus.STARTING,
    "run_goes_on": RunStatus.RUNNING,
}
ENDED = "run_ended"
GRANTS = Grants(hosts=("mail.example.com:587",))
NEVER = 10**13


async def add_runs(home: Path) -> None:
    """Store runs that go on, and one that ended and left a file."""
    async with open_store(home / "jobs.db") as store:
        for run_id, status in {**UNFINISHED, ENDED: RunStatus.SUCCEEDED}.items():
            # The gateway that looks on must not start what waits.
            run = examples.run(id=run_id, status=status, created_at=utc_ms(), not_before=NEVER)
            await store.runs.add(run)
        # Gathered for a summary that the gateway which looks on will not send either.
        told = new_notice(Occasion.PAUSED, "job_1", "Paused", "It is.", utc_ms())
        values = {**asdict(told), "state": NoticeState.GATHERED, "settled_at": NEVER}
        await store.notices._db.change(notices.insert().values(values))  # pyright: ignore[reportPrivateUsage] - no method writes it so
        digest = hashlib.sha256(b"done").hexdigest()
        left = RunFile(ENDED, 1, 0, "report", 4, "text/plain", digest)
        await store.run_files.add(LeftFiles(RunFileSet(ENDED, 1, 20, kept=1, bytes=4), (left,)))
    kept = home / "run_files" / ENDED / "1"
    kept.mkdir(parents=True)
    (kept / "0").write_text("done", "utf-8")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of a home in use, made while its gateway runs."""
    place = make_place(tmp_path_factory.mktemp("old"))
    shell = Shell(place)
    target = place.folder / "kept.tar.gz"
    env = {"ANTHROPIC_API_KEY": API_KEY, "DEFAULT_TIMEZONE": "Europe/Berlin"}
    with place.gateway(SANDBOX="off"):
        shell.text("servers", "create", shell.write("keeper/server.py", KEEPER).parent)
        shell.text("credentials", "set", "keeper", "ADDER_KEY", given=SECRET + "\n")
        shell.text("jobs", "create", "brief", "Say hello.", "--cron", "0 7 * * *")
        data = place.home / "servers" / "keeper" / "data"
        (data / "notes.txt").write_text("kept", "utf-8")
        (data / "inner").symlink_to("notes.txt")
        (data / "passwords").symlink_to("/etc/passwd")
        GrantFiles(place.home / "grants").write("email", GRANTS)
        asyncio.run(add_runs(place.home))
        said = shell("backup", target, env=env)
    assert said.status == 0, said.err
    assert f"the master key ({place.folder}/home.key)" in said.out
    assert "ANTHROPIC_API_KEY; set them on the other machine" in said.out
    assert "data/passwords: a link that leads outside" in said.out
    assert target.stat().st_mode & 0o077 == 0
    assert shell("backup", target).status == 2
    return target


@pytest.fixture
def new(tmp_path: Path) -> Shell:
    """A machine that never had a gateway."""
    return Shell(make_place(tmp_path))


def key_of(archive: Path) -> Path:
    """Return the master key of the home that was backed up."""
    return archive.parent / "home.key"


def test_an_archive_holds_no_secret_in_clear(archive: Path) -> None:
    """Issue 8, What 3: not the credential, not the API key, not the master key."""
    with tarfile.open(archive) as tar:
        files = [member for member in tar if member.isreg()]
        held = b"".join(content.read() for each in files if (content := tar.extractfile(each)))
    for secret in (SECRET, API_KEY, key_of(archive).read_text("ascii").strip()):
        assert secret.encode() not in held
    assert b"DEFAULT_TIMEZONE='Europe/Berlin'" in held


def test_a_home_is_restored_on_another_machine_with_its_key(archive: Path, new: Shell) -> None:
    """Issue 8, What 3: every value opens, and what was there is there."""
    key = new.place.folder / "home.key"
    shutil.copy(key_of(archive), key)
    restored = new.text("restore", archive)
    assert f"Its secrets open with the master key file {key}." in restored
    assert "Set here what no back-up holds: ANTHROPIC_API_KEY." in restored
    assert "not sent now, for they may have been since: 1; claude-runner notify log" in restored
    data = new.place.home / "servers" / "keeper" / "data"
    assert (data / "inner").read_text("utf-8") == "kept"
    assert GrantFiles(new.place.home / "grants").read("email") == GRANTS
    assert new.text("key", "show").splitlines()[-1] == "seals       2 values"
    assert mode(new.place.folder / "dynamic" / "keeper") == 0o755
    assert (mode(data), mode(data.parent), mode(data.parent.parent)) == (0o700, WAY, WAY)
    # Confined where this machine can: a child of root is another user.
    with new.place.gateway():
        assert new.json("tools", "call", "keeper:tail") == {"tail": "ry-9"}
        assert [job["name"] for job in new.json("jobs", "list")["jobs"]] == ["brief"]
        assert len(new.json("servers", "versions", "keeper")["versions"]) == 1
        assert "restore a back-up" in new.text("audit")
        for run_id in UNFINISHED:
            shown = new.json("runs", "show", run_id)["run"]
            assert (shown["status"], shown["error"]) == (RunStatus.INTERRUPTED, RESTORED)
        (told,) = new.json("notify", "log")["notices"]
        assert told["state"] == NoticeState.RESTORED
        new.text("runs", "download", ENDED, "report", "--to", new.place.folder)
        assert (new.place.folder / "report").read_text("utf-8") == "done"
        held = new("restore", archive)
        assert (held.status, "is in use" in held.err) == (2, True)


def test_folders_that_an_archive_does_not_name_get_their_usual_modes(
    archive: Path, new: Shell
) -> None:
    """Ours: earlier archives name no top folder, and a server's child may be another user."""
    bare = new.place.folder / "bare.tar.gz"
    with tarfile.open(archive) as old, tarfile.open(bare, "w:gz") as fresh:
        for member in old:
            if not member.isdir():
                fresh.addfile(member, old.extractfile(member) if member.isreg() else None)
    new.text("restore", bare)
    data = new.place.home / "servers" / "keeper" / "data"
    assert mode(new.place.folder / "dynamic" / "keeper") == 0o755
    assert (mode(data), mode(data.parent), mode(data.parent.parent)) == (0o700, WAY, WAY)
    assert mode(new.place.home / "run_files") == 0o700


def test_a_missing_or_wrong_key_is_said_and_nothing_is_overwritten(
    archive: Path, new: Shell
) -> None:
    """Ours: the sentence says what to bring and where; a full home needs `--replace`."""
    key = new.place.folder / "home.key"
    said = new.text("restore", archive)
    assert f"copy the old machine's to {key}, mode 0600, before the gateway starts" in said
    again = new("restore", archive)
    assert (again.status, "add --replace" in again.err) == (1, True)
    there = left_in(new.place)
    cut = new.place.folder / "cut.tar.gz"
    cut.write_bytes(archive.read_bytes()[:-200])
    for path in (cut, new.place.folder / "none"):
        refused = new("restore", path)
        assert (refused.status, str(path) in refused.err) == (1, True)
        assert "--replace" not in refused.err
    assert left_in(new.place) == there
    key.write_bytes(b"00" * 32)
    key.chmod(0o600)
    wrong = new("restore", archive, "--replace")
    assert (wrong.status, "does not open" in wrong.err) == (1, True)
    shutil.copy(key_of(archive), key)
    before = Path(new.json("restore", archive, "--replace")["before"])
    assert before.stat().st_mode & 0o077 == 0
    assert new("reset").status == 2
    emptied = new.json("reset", "--yes")
    assert sorted(path.name for path in new.place.home.iterdir()) == ["gateway.lock"]
    assert new.text("restore", emptied["before"]).startswith("Restored ")


def test_a_home_with_files_of_others_is_not_emptied(archive: Path, new: Shell) -> None:
    """Ours: work folders need `--replace`; what no gateway made is named and stays."""
    work = new.write("home/claude_playground/brief/notes.txt", "kept")
    full = new("restore", archive)
    assert (full.status, "add --replace" in full.err) == (1, True)
    thesis = new.write("home/thesis.txt", "kept")
    for command in (("restore", archive, "--replace"), ("reset", "--yes")):
        refused = new(*command)
        assert (refused.status, "no gateway made ('thesis.txt')" in refused.err) == (1, True)
    thesis.unlink()
    new.write("home/.backup-x1_z2abc/claude-runner.tar.gz", "interrupted")
    postgres = new("reset", "--yes", env={"DATABASE_URL": "postgresql://nobody@127.0.0.1/none"})
    assert (postgres.status, "none on PostgreSQL at 127.0.0.1 cannot be used" in postgres.err) == (
        1,
        True,
    )
    assert work.read_text("utf-8") == "kept"
    own = new.write("home/fixed/own/server.py", "kept")
    emptied = new("reset", "--yes", env={"FIXED_SERVERS_DIR": str(own.parent.parent)})
    assert (emptied.status, left_in(new.place)) == (0, ["fixed", "gateway.lock"])
    assert own.exists()


def changed(archive: Path, target: Path, change: Callable[[tarfile.TarInfo, bytes], bytes]) -> Path:
    """Write an archive whose members went through `change`."""
    with tarfile.open(archive) as old, tarfile.open(target, "w:gz") as fresh:
        for member in old:
            content = old.extractfile(member) if member.isreg() else None
            data = change(member, content.read() if content else b"")
            member.size = len(data)
            fresh.addfile(member, io.BytesIO(data))
    return target


def climb(member: tarfile.TarInfo, data: bytes) -> bytes:
    """Have a file lead out of the home."""
    if member.name.endswith("notes.txt"):
        member.name = "home/../../evil"
    return data


def link(member: tarfile.TarInfo, data: bytes) -> bytes:
    """Have a link lead out of its tree."""
    if member.issym():
        member.linkname = "../../../../etc/passwd"
    return data


def nest(member: tarfile.TarInfo, data: bytes) -> bytes:
    """Have a link lie below another link, where its name is not its place."""
    data_of = "home/servers/keeper/data"
    if member.name == f"{data_of}/inner":
        member.name = f"{data_of}/a/b"
    elif member.name == f"{data_of}/notes.txt":
        member.name, member.type, member.linkname = f"{data_of}/a", tarfile.SYMTYPE, "."
        return b""
    elif member.name == "manifest.json":
        said = json.loads(data)
        files = said["files"]
        files[f"{data_of}/a/b"] = files.pop(f"{data_of}/inner")
        del files[f"{data_of}/notes.txt"]
        files[f"{data_of}/a"] = {"size": 0, "digest": hashlib.sha256(b".").hexdigest()}
        return json.dumps(said).encode()
    return data


def device(member: tarfile.TarInfo, data: bytes) -> bytes:
    """Have a file be a pipe."""
    if member.name.endswith("notes.txt"):
        member.type = tarfile.FIFOTYPE
        return b""
    return data


def damage(member: tarfile.TarInfo, data: bytes) -> bytes:
    """Change one file."""
    return b"lost" if member.name.endswith("notes.txt") else data


def age(member: tarfile.TarInfo, data: bytes) -> bytes:
    """Have a newer program have written it."""
    if member.name != "manifest.json":
        return data
    return json.dumps({**json.loads(data), "format": 2, "version": "99.0"}).encode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (climb, "a place that is not its own"),
        (link, "leads outside"),
        (nest, "lies below a link"),
        (device, "neither a file nor a folder"),
        (damage, "'home/servers/keeper/data/notes.txt' is not what was written"),
        (age, "made by Claude Runner 99.0, which is newer"),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_a_bad_archive_is_refused_and_changes_nothing(
    archive: Path, new: Shell, change: Callable[[tarfile.TarInfo, bytes], bytes], reason: str
) -> None:
    """Issue 8, What 3: one sentence; no file of it is left."""
    bad = changed(archive, new.place.folder / "bad.tar.gz", change)
    refused = new("restore", bad)
    assert (refused.status, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert reason in refused.err
    assert left_in(new.place) == ["gateway.lock"]


def test_a_cut_archive_and_no_archive_are_refused(archive: Path, new: Shell) -> None:
    """Ours: as a download that broke off, and a file of something else."""
    cut = new.place.folder / "cut.tar.gz"
    cut.write_bytes(archive.read_bytes()[:-200])
    for name, content in (("none", None), ("text", b"hello"), ("cut.tar.gz", cut.read_bytes())):
        path = new.place.folder / name
        if content is not None:
            path.write_bytes(content)
        refused = new("restore", path)
        assert (refused.status, refused.err.count("\n")) == (1, 1), refused.err
    assert left_in(new.place) == ["gateway.lock"]
    assert "nothing to back up" in new("backup").err


def mode(path: Path) -> int:
    """Return who may do what with a folder."""
    return path.stat().st_mode & 0o777


def left_in(place: Place) -> list[str]:
    """Return what stands in the home."""
    return sorted(path.name for path in place.home.iterdir())
