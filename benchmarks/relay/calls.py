"""The calls of this benchmark: one with a small answer, one with an answer of a mebibyte."""

import json
from dataclasses import dataclass

SMALL_TEXT = "hello-payload"
LARGE_KIB = 1024


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call whose answer can be checked."""

    name: str
    tool: str
    arguments: dict[str, object]
    expected: str
    """Stands in every good answer."""
    least_bytes: int

    def around_id(self) -> tuple[str, str]:
        """Return a JSON-RPC request before and after its id."""
        params = json.dumps({"name": self.tool, "arguments": self.arguments})
        return '{"jsonrpc":"2.0","id":', f',"method":"tools/call","params":{params}}}'


SMALL = ToolCall("small", "echo", {"text": SMALL_TEXT}, SMALL_TEXT, 1)
LARGE = ToolCall("1 MiB", "blob", {"kib": LARGE_KIB}, "x" * 60, LARGE_KIB * 1024)
