"""Which server each caller's tasks are at: the tasks extension names no server, only a task.

A task belongs to whoever made the call that became it. What two servers claim under one id belongs
to neither. Above: `endpoint`, `routing`.
Source: MCP extension io.modelcontextprotocol/tasks (SEP-2663).
"""

from collections.abc import Callable
from functools import partial

import msgspec

from gateway.relay.request import Posted
from supervisor.children.call import Answer
from supervisor.children.wire import decode, parse_object
from supervisor.spec import Era

EXTENSION = "io.modelcontextprotocol/tasks"
METHODS = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})
MAX_OF_CALLER = 1000
"""Tasks that are remembered of one token; the oldest is forgotten first."""
MAX_CALLERS = 10_000
LOOKED_INTO = 64 * 1024
"""Bytes; the answer that makes a task holds no content and is short."""
TWO_SERVERS = ""
"""In place of a server's name: two have given out the same id."""


class Tasks:
    """Remembers tasks as they are made, until their caller is forgotten."""

    def __init__(self) -> None:
        self._of_caller: dict[str, dict[str, str]] = {}

    def watch(
        self, caller: str, server: str, posted: Posted
    ) -> Callable[[Answer], Answer | None] | None:
        """Return what looks at the answer to a request; None where no task can come of it."""
        if posted.era is not Era.MODERN or posted.method != "tools/call":
            return None
        return partial(self._answered, caller, server)

    def server_of(self, caller: str, task: str) -> str | None:
        """Return the only server at which a caller has a task of this id, if there is one."""
        return self._of_caller.get(caller, {}).get(task) or None

    def forget(self, caller: str) -> None:
        """Drop what a caller has."""
        self._of_caller.pop(caller, None)

    def _answered(self, caller: str, server: str, answer: Answer) -> Answer:
        task = None if answer.result is None else _made(answer.result)
        if task is not None:
            tasks = self._tasks_of(caller)
            known = tasks.pop(task, server)
            if len(tasks) >= MAX_OF_CALLER:
                del tasks[next(iter(tasks))]
            tasks[task] = server if known == server else TWO_SERVERS
        return answer

    def _tasks_of(self, caller: str) -> dict[str, str]:
        if caller not in self._of_caller and len(self._of_caller) >= MAX_CALLERS:
            del self._of_caller[next(iter(self._of_caller))]
        return self._of_caller.setdefault(caller, {})


def task_id(posted: Posted) -> str:
    """Return the id of the task that a request is about; empty when it names none."""
    return _text(parse_object(posted.envelope.params).get("taskId"))


def _made(result: msgspec.Raw) -> str | None:
    """Return the id of the task that a call has become, if it has."""
    if len(memoryview(result)) > LOOKED_INTO or b'"taskId"' not in bytes(result):
        return None
    members = parse_object(result)
    return _text(members.get("taskId")) if _text(members.get("resultType")) == "task" else None


def _text(raw: msgspec.Raw | None) -> str:
    value: object = None if raw is None else decode(raw)
    return value if isinstance(value, str) else ""
