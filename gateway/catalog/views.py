"""What the owner is shown of an added server: where it is from, and what it may do."""

from typing import Any

from gateway.catalog.desk import Added
from gateway.catalog.pins import Pin
from gateway.catalog.updating import Standing
from gateway.servers import ServerReport
from sandboxes.packages.recipe import declared_packages
from sandboxes.policy import MIB, Limits

SHOWN_TOOLS = 100
MAX_DESCRIPTION = 200


def view_added(added: Added) -> dict[str, Any]:
    """Return an added server as commands and pages show it."""
    tried = added.tried
    return {
        **view_server(added.report, added.pin),
        "added": added.is_new,
        "tools": None if tried is None or tried.tools is None else view_tools(tried.tools),
        "not_tried": "" if tried is None else tried.reason,
        "notes": list(added.notes),
    }


def view_standing(standing: Standing) -> dict[str, Any]:
    """Return whether a server is outdated."""
    pin = standing.pin
    return {
        "server": standing.server,
        "kind": "" if pin is None else pin.kind.value,
        "package": "" if pin is None else pin.package,
        "pinned": "" if pin is None else pin.version,
        "newest": standing.newest,
        "changes": list(standing.changes),
        "problem": standing.problem,
    }


def view_change(report: ServerReport) -> dict[str, Any]:
    """Return what became of a server that was changed."""
    failure = report.failure
    return {
        "ok": failure is None,
        "kept": report.kept,
        "problem": "" if failure is None else failure.sentence,
        "stderr_tail": [] if failure is None else list(failure.stderr_tail),
        "enabled": report.enabled,
        "state": report.snapshot.state.value,
        "version": report.version,
    }


def view_server(report: ServerReport, pin: Pin) -> dict[str, Any]:
    """Return what a server is and what it may do."""
    spec = report.spec
    return {
        "server": spec.name,
        "source": pin.source,
        "digest": pin.digest,
        "enabled": report.enabled,
        "state": report.snapshot.state.value,
        "command": list(spec.command or ()),
        "packages": [each.partition(" ")[0] for each in declared_packages(spec.recipe)],
        "network": ", ".join(spec.network.hosts) or spec.network.mode.value,
        "read_only": [str(path) for path in spec.read_only],
        "read_write": [str(path) for path in spec.read_write],
        "environment": dict(spec.environment),
        "credentials": [
            {"key": each.key, "required": each.required, "set": each.masked is not None}
            for each in report.credentials
        ],
        "limits": _limits(spec.limits),
        "version": report.version,
    }


def view_tools(tools: Any) -> list[dict[str, str]]:
    """Return names and beginnings of descriptions of tools."""
    return [
        {
            "name": str(each.get("name", "")),
            "description": str(each.get("description") or "")[:MAX_DESCRIPTION],
        }
        for each in tools[:SHOWN_TOOLS]
    ]


def _limits(limits: Limits) -> dict[str, int]:
    return {
        "memory_mb": limits.memory_bytes // MIB,
        "processes": limits.processes,
        "open_files": limits.open_files,
        "data_dir_mb": limits.data_dir_bytes // MIB,
    }
