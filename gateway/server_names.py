"""Names that no server may have."""

RESERVED = frozenset({"all", "claude-in-chrome", "claude-runner", "computer-use", "ide"})
"""Our own endpoints, or the Claude CLI, keep them for themselves."""
