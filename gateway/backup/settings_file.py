"""The settings of a back-up: what was set and is no secret, as lines for a `.env` file."""

from collections.abc import Iterable

from gateway.setting_origins import Standing


def settings_text(standings: Iterable[Standing]) -> str:
    """Return lines for a `.env` file; a secret is only named."""
    lines = ["# The settings of the gateway that was backed up. Paths may differ on this machine."]
    for standing in standings:
        if not standing.is_set:
            continue
        name = standing.variable.name
        if standing.value is None:
            lines.append(f"# {name} was set; a secret is in no back-up")
        else:
            value = standing.value.replace("\\", "\\\\").replace("'", "\\'")
            lines.append(f"{name}='{value}'")
    return "\n".join(lines) + "\n"


def secret_names(standings: Iterable[Standing]) -> tuple[str, ...]:
    """Return the names of the secrets that were set."""
    return tuple(
        standing.variable.name
        for standing in standings
        if standing.is_set and standing.variable.secret
    )
