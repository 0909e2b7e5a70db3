"""Where MCP clients keep their files."""

from pathlib import Path

IN_HOME = {
    "claude-desktop": (
        ".config/Claude/claude_desktop_config.json",
        "Library/Application Support/Claude/claude_desktop_config.json",
    ),
    "claude-code": (".claude.json",),
    "vscode": (
        ".config/Code/User/mcp.json",
        "Library/Application Support/Code/User/mcp.json",
    ),
    "cursor": (".cursor/mcp.json",),
}
IN_PROJECT = {
    "claude-desktop": (),
    "claude-code": (".mcp.json",),
    "vscode": (".vscode/mcp.json",),
    "cursor": (".cursor/mcp.json",),
}


def client_files(client: str | None, home: Path, project: Path) -> tuple[Path, ...]:
    """Return the files of one client, or of all, that are there."""
    clients = tuple(IN_HOME) if client is None else (client,)
    places = [
        folder / name
        for each in clients
        for folder, names in ((project, IN_PROJECT[each]), (home, IN_HOME[each]))
        for name in names
    ]
    return tuple(dict.fromkeys(path for path in places if path.is_file()))
