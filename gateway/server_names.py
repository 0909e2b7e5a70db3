"""Names that no server may have, those that are shipped, and the folder of added servers."""

ADDED = "added"
"""In the home: the folder of the servers that `servers add` made."""

RESERVED = frozenset({"all", "claude-in-chrome", "claude-runner", "computer-use", "ide"})
"""Our own endpoints, or the Claude CLI, keep them for themselves."""

SHIPPED = ("email", "fetch", "files", "notify", "playwright")
"""In `fixed-servers/` of every checkout; whatever else is there is its owner's."""
