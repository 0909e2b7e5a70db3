"""One generation of a server: a process, the link to it, and what it said of itself."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import msgspec

from sandboxes.launch import Launch
from supervisor.children.asking import ChildRequest
from supervisor.children.call import Answer, Call, Notice, Owner
from supervisor.children.crash import (
    MAX_CALLS,
    CrashReport,
    call_shape,
    changed_at,
    input_schemas,
    is_breach,
)
from supervisor.children.era import (
    Handshake,
    initialize_params,
    read_discover,
    read_initialize,
    to_modern_params,
)
from supervisor.children.following import Following
from supervisor.children.link import Link
from supervisor.children.lists import Tool, fetch_tools
from supervisor.children.process import (
    MAX_UNSENT_BYTES,
    ChildProcess,
    Pipes,
    exit_in_words,
)
from supervisor.children.spawned import Spawned
from supervisor.children.stderr_log import StderrLog, StderrTail
from supervisor.children.wire import decode
from supervisor.errors import ChildDied, NotMcp, NotTaken, RequestRefused, StartFailed
from supervisor.pinning.screen import Screen
from supervisor.slots.restart import Life
from supervisor.spec import Era, ServerSpec

STOPPED_READING = f"it stopped reading: {MAX_UNSENT_BYTES >> 20} MiB of input wait for it"


Spawn = Callable[[str, Launch], Awaitable[Spawned]]
"""Starts the process of a server; raises OSError when its program cannot be executed."""


@dataclass(frozen=True, slots=True)
class Reports:
    """Whom a child tells what happens to it."""

    on_spawned: Callable[["Child"], None]
    on_exit: Callable[["Child"], None]
    on_notice: Callable[["Child", Notice], None]
    on_notify: Callable[["Child", ChildRequest], None]


class Child:
    """A running child of a server; ready once `start` has returned."""

    def __init__(
        self,
        spec: ServerSpec,
        generation: int,
        *,
        spawn: Spawn,
        log: StderrLog,
        reports: Reports,
        screen: Screen,
    ) -> None:
        self.spec = spec
        self.screen = screen
        self.generation = generation
        self.crash: CrashReport | None = None
        """Why it died or did not become ready; None while it lives, or when it was stopped."""
        self.tools: tuple[Tool, ...] = ()
        self.ready_at: float | None = None
        self.exit_reason: str | None = None
        self.calls_failed = 0
        self.wanted_exit = False
        self.introduction: bytes | None = None
        """The params of its `initialize`; None: ours, for a child that anybody may call."""
        self.link = Link(
            write=self._write,
            on_notice=self._noticed,
            screen=screen.page,
            on_notify=self._asked if spec.notify else None,
        )
        self._spawner = spawn
        self._reports = reports
        self._process: ChildProcess | None = None
        self._handshake: Handshake | None = None
        self._following: Following | None = None
        self._stop_reason: str | None = None
        self._breached = False
        self._condemned = False
        self._log = log
        self._stderr = StderrTail(log)
        self._given: dict[str, str] = {}
        """The credentials that the process has, as long as there is one."""
        self._code_changed_at = changed_at(spec.code_dir)

    @property
    def process(self) -> ChildProcess:
        """The process; there is one from spawn on."""
        assert self._process is not None
        return self._process

    @property
    def spawned(self) -> bool:
        """True once there is or was a process."""
        return self._process is not None

    @property
    def alive(self) -> bool:
        """True while calls can be sent."""
        return self.ready_at is not None and self.exit_reason is None

    @property
    def handshake(self) -> Handshake:
        """What the child said of itself; known once it is ready."""
        assert self._handshake is not None
        return self._handshake

    @property
    def following(self) -> Following:
        """What it is asked to tell of; there once it is ready."""
        assert self._following is not None
        return self._following

    @property
    def ready_for_s(self) -> float:
        """Seconds since the child became ready; 0 when it never did."""
        return 0.0 if self.ready_at is None else time.monotonic() - self.ready_at

    @property
    def life(self) -> Life:
        """What it did so far, for the judgement of its death."""
        return Life(self.ready_for_s, self.link.counters.answered)

    @property
    def stderr_tail(self) -> tuple[str, ...]:
        """The last lines it wrote to standard error."""
        return self._stderr.lines()

    async def start(self, launch: Launch) -> None:
        """Spawn, initialise and list; return when calls can be sent.

        Raises:
            StartFailed: with the reason and the last lines of standard error; nothing is left.
        """
        try:
            with anyio.fail_after(self.spec.start_timeout_s):
                await self._spawn(launch)
                self._handshake = await self._shake_hands()
                await self.refresh_tools()
            self._following = Following(self.spec.name, self.link, self._handshake)
            self._following.lists()
            self.ready_at = time.monotonic()
            # What the start itself asked is nobody's call.
            self.link.counters.calls = self.link.counters.answered = 0
        except TimeoutError:
            await self._fail(self._silence())
        except ChildDied as error:
            await self._fail(f"{error.reason} before it was ready")
        except NotMcp as error:
            await self._fail(f"it does not speak MCP: {error}")
        finally:
            if not self.alive and self.spawned:
                await self.stop("it did not become ready")

    async def refresh_tools(self) -> None:
        """Ask for the tools again.

        Raises:
            ChildDied, NotMcp: the child is gone or answered something else.
        """
        self.tools = await fetch_tools(self._ask_list)

    def call(
        self,
        method: str,
        params: bytes | msgspec.Raw | None,
        *,
        on_progress: Callable[[Notice], None] | None = None,
        owner: Owner | None = None,
    ) -> Call:
        """Send a request in the child's own era.

        Raises:
            ToolWithheld: it is a call of a quarantined tool.
            NotTaken: the child has closed its input; it is gone, or soon will be.
            ChildDied: the child is gone or has stopped reading.
        """
        if method == "tools/call":
            self.screen.check(params)
        try:
            call = self.link.call(method, params, on_progress=on_progress, owner=owner)
        except BrokenPipeError:
            reason = "it closed its standard input"
            raise NotTaken(self.spec.name, reason, self.stderr_tail) from None
        except BlockingIOError:
            self._unusable(STOPPED_READING)
            raise self._died(f"stopped because {STOPPED_READING}") from None
        self.process.flow.asked()
        return call

    async def stop(self, reason: str) -> None:
        """End the process and everything it started in its group."""
        self.wanted_exit = True
        self._stop_reason = reason
        self.link.ending = self._died(reason)
        if self._process is not None:
            await self._process.stop()

    def condemn(self, reason: str, *, breach: bool = False) -> bool:
        """Kill the process and its group now; `reason` is what its callers are told.

        Returns False when it is gone or condemned already. `breach`: a limit of its sandbox is
        the reason.
        """
        if self.exit_reason is not None or self._condemned:
            return False
        self._stop_reason, self._breached = reason, breach
        self._condemned = True
        self.process.kill()
        return True

    async def drain(self, seconds: float) -> None:
        """Wait for the calls in flight, at most this long."""
        with anyio.move_on_after(seconds):
            await self.link.wait_idle()

    async def _spawn(self, launch: Launch) -> None:
        given = {c.key: launch.env[c.key] for c in self.spec.credentials if c.key in launch.env}
        self._log.redactor.know_all(given)
        self._given = given
        self._stderr = self._log.begin()
        pipes = Pipes(self._line, self._stderr.write, self._unusable, self._exited)
        try:
            self._process = ChildProcess(await self._spawner(self.spec.name, launch), pipes)
        except OSError as error:
            reason = f"{launch.argv[0]!r} cannot be executed ({error.strerror})"
            raise StartFailed(self.spec.name, reason) from error
        finally:
            if self._process is None:
                self._forget_given()
        self._reports.on_spawned(self)

    async def _shake_hands(self) -> Handshake:
        if self.spec.era is not Era.MODERN:
            answer = await self.call("initialize", self.introduction or initialize_params()).future
            if answer.result is not None:
                handshake = read_initialize(answer.result)
                self.link.notify("notifications/initialized", None)
                return handshake
            if self.spec.era is Era.HANDSHAKE:
                raise NotMcp(f"initialize was refused ({_message(answer)})")
        answer = await self.call("server/discover", to_modern_params(None)).future
        if answer.result is None:
            raise NotMcp(f"server/discover was refused ({_message(answer)})")
        return read_discover(answer.result)

    async def _ask_list(self, method: str, params: bytes) -> msgspec.Raw | None:
        if self.handshake.era is Era.MODERN:
            params = to_modern_params(params)
        return (await self.call(method, params).future).result

    async def _fail(self, why: str) -> None:
        # It may repeat what the child said.
        reason = self._log.redactor.hide_text(why)
        if self.crash is None:
            self.crash = self._report(reason)
        await self.stop(reason)
        raise StartFailed(self.spec.name, reason, self.stderr_tail) from None

    def _silence(self) -> str:
        waiting = ", ".join(call.method for call in self.link.calls_in_flight()) or "the handshake"
        text = f"no answer to {waiting} within {self.spec.start_timeout_s:g} s"
        if self.link.counters.junk_lines:
            count, sample = self.link.counters.junk_lines, self.link.junk_sample
            text += f"; it printed {count} lines that are not MCP, the first being {sample!r}"
        return text

    def _write(self, line: bytes) -> None:
        self.process.write(line)

    def _line(self, line: bytes) -> None:
        if self._condemned:
            return
        junk = self.link.counters.junk_lines
        try:
            self.link.feed(line)
        except (BrokenPipeError, BlockingIOError):
            # Only answers to the child's own requests are written here; one that does not
            # read them does without.
            return
        if self.link.counters.junk_lines > junk and (
            too_much := self.process.flow.junk(time.monotonic())
        ):
            self._unusable(too_much)

    def _unusable(self, why: str) -> None:
        self.condemn(f"stopped because {why}")

    def _asked(self, request: ChildRequest) -> None:
        self._reports.on_notify(self, request)

    def _noticed(self, notice: Notice) -> None:
        if too_much := self.process.flow.notice(time.monotonic()):
            self._unusable(too_much)
            return
        self._reports.on_notice(self, notice)

    def _exited(self, returncode: int) -> None:
        self._stderr.end()
        self.exit_reason = self._stop_reason or exit_in_words(returncode)
        if not self.wanted_exit:
            self._breached = self._breached or is_breach(returncode)
            self.crash = self._report(self.exit_reason)
        failed = self.link.close(self._died(self.exit_reason))
        # What the start itself asked is nobody's call.
        self.calls_failed = failed if self.ready_at is not None else 0
        self._forget_given()
        self._reports.on_exit(self)

    def _forget_given(self) -> None:
        given, self._given = self._given, {}
        self._log.redactor.forget_all(given)

    def _died(self, reason: str) -> ChildDied:
        return ChildDied(self.spec.name, reason, self.stderr_tail, self.crash)

    def _report(self, cause: str) -> CrashReport:
        # What the start itself asks is nobody's call.
        calls = self.link.calls_in_flight() if self.ready_at is not None else ()
        now, schemas = time.time(), input_schemas(self.tools)
        return CrashReport(
            server=self.spec.name,
            generation=self.generation,
            digest=self.spec.digest,
            at=now,
            cause=cause,
            sandbox_breach=self._breached,
            was_ready=self.ready_at is not None,
            uptime_s=self.ready_for_s,
            calls=tuple(
                call_shape(c.method, c.params, schemas, time.monotonic() - c.sent_at)
                for c in calls[:MAX_CALLS]
            ),
            calls_failed=len(calls),
            stderr_tail=self.stderr_tail,
            code_changed_s=self._code_changed_at and max(0.0, now - self._code_changed_at),
        )


def _message(answer: Answer) -> str:
    return RequestRefused.from_json("", decode(answer.error or b"{}")).message
