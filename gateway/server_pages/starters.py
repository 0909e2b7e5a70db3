"""Code that a new dynamic server may begin with."""

from dataclasses import dataclass

TOOL = '''"""What this server is for."""


@mcp.tool
def greet(name: str) -> str:
    """Say hello to somebody."""
    return f"Hello, {name}!"
'''

NOTES = '''"""Keeps notes in the server's data folder."""

NOTES = DATA_DIR / "notes.txt"


@mcp.tool
def add_note(text: str) -> int:
    """Add a note; return how many there are."""
    with NOTES.open("a", encoding="utf-8") as file:
        file.write(text.replace("\\n", " ") + "\\n")
    return len(list_notes())


@mcp.tool
def list_notes() -> list[str]:
    """Return every note, oldest first."""
    return NOTES.read_text(encoding="utf-8").splitlines() if NOTES.exists() else []
'''

API = '''"""Asks an API over https; grant its host, and set API_KEY on the page of credentials."""

import json
import os
from urllib.request import Request, urlopen

API = "https://api.example.com"


@mcp.tool
def get(path: str) -> dict:
    """Return what the API answers to a path such as /v1/items."""
    headers = {"Authorization": f"Bearer {os.environ['API_KEY']}"}
    with urlopen(Request(API + path, headers=headers), timeout=30) as answer:
        return json.load(answer)
'''


@dataclass(frozen=True, slots=True)
class Starter:
    """One to choose."""

    word: str
    code: str


STARTERS = {
    "tool": Starter("One tool", TOOL),
    "notes": Starter("Notes in a data folder", NOTES),
    "api": Starter("A key and an API over https", API),
}
