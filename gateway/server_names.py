"""Names that no server may have, and the folder of servers that were added."""

ADDED = "added"
"""In the home: the folder of the servers that `servers add` made."""

RESERVED = frozenset({"all", "claude-in-chrome", "claude-runner", "computer-use", "ide"})
"""Our own endpoints, or the Claude CLI, keep them for themselves."""
