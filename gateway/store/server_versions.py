"""Versions of dynamic servers, and the content of their files, each kept once per server."""

from collections.abc import Collection, Mapping

from sqlalchemy import and_, delete, select, update

from gateway.domain.server_version import ServerVersion, VersionResult
from gateway.store.database import Database
from gateway.store.errors import VersionTaken
from gateway.store.record import Record
from gateway.store.schema import server_files, server_versions

VERSION = Record(ServerVersion, server_versions)


class ServerVersionTable:
    """Statements on `server_versions` and `server_files`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, version: ServerVersion, contents: Mapping[str, bytes]) -> None:
        """Store a version; `contents` holds its files by their hash.

        Raises VersionTaken when another gateway has stored one of this number.
        """
        rows = [
            {"server": version.server, "sha256": sha256, "content": content}
            for sha256, content in contents.items()
        ]
        if rows:
            await self._db.change(
                self._db.insert(server_files).on_conflict_do_nothing(
                    index_elements=["server", "sha256"]
                ),
                rows,
            )
        unless_taken = (
            self._db.insert(server_versions)
            .values(VERSION.values(version))
            .on_conflict_do_nothing(index_elements=["server", "number"])
        )
        if not await self._db.change_returning(unless_taken.returning(server_versions.c.number)):
            raise VersionTaken(version.server)

    async def all(self, server: str) -> tuple[ServerVersion, ...]:
        """Return every version of a server, newest first."""
        statement = (
            select(*VERSION.columns)
            .where(server_versions.c.server == server)
            .order_by(server_versions.c.number.desc())
        )
        return VERSION.all(await self._db.all(statement))

    async def contents(self, server: str, hashes: Collection[str]) -> dict[str, bytes]:
        """Return the content of these files by hash."""
        statement = select(server_files.c.sha256, server_files.c.content).where(
            server_files.c.server == server, server_files.c.sha256.in_(hashes)
        )
        return {row["sha256"]: row["content"] for row in await self._db.all(statement)}

    async def note_worked(self, server: str, digest: str) -> None:
        """Note that what has this digest became ready after all."""
        statement = (
            update(server_versions)
            .where(
                server_versions.c.server == server,
                server_versions.c.digest == digest,
                server_versions.c.result != VersionResult.WORKED,
            )
            .values(result=VersionResult.WORKED, reason="")
        )
        await self._db.change(statement)

    async def waiting(self) -> tuple[ServerVersion, ...]:
        """Return every version that waits for its owner, by server, newest first."""
        statement = (
            select(*VERSION.columns)
            .where(server_versions.c.result == VersionResult.WAITING)
            .order_by(server_versions.c.server, server_versions.c.number.desc())
        )
        return VERSION.all(await self._db.all(statement))

    async def settle(self, server: str, number: int, result: VersionResult, reason: str) -> None:
        """Write down what became of a version."""
        mine = and_(server_versions.c.server == server, server_versions.c.number == number)
        await self._db.change(
            update(server_versions).where(mine).values(result=result, reason=reason)
        )

    async def forget(
        self, server: str, *, numbers: Collection[int], hashes: Collection[str]
    ) -> None:
        """Delete these versions and these files of a server."""
        await self._db.change(
            delete(server_versions).where(
                server_versions.c.server == server, server_versions.c.number.in_(numbers)
            )
        )
        await self._db.change(
            delete(server_files).where(
                server_files.c.server == server, server_files.c.sha256.in_(hashes)
            )
        )

    async def delete_server(self, server: str) -> None:
        """Delete every version and every file of a server."""
        for table in (server_versions, server_files):
            await self._db.change(delete(table).where(table.c.server == server))
