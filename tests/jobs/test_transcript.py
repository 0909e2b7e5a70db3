"""What is stored of a run's messages, looked at in the database's own table."""

import base64
import json
import sqlite3
from pathlib import Path
from urllib.parse import quote

from claude_agent_sdk import (
    AssistantMessage,
    SystemMessage,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from gateway.jobs.transcript import Transcript
from supervisor.redaction import Redactor
from tests.databases import open_store
from tests.store import examples

CANARY = 'canary/of+a "run" äß 4711'
SPELT = {
    "plain": CANARY,
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "in the middle": base64.b64encode(f"user:{CANARY}".encode()).decode(),
    "url": quote(CANARY, safe=""),
    "hex": CANARY.encode().hex(),
    "json": json.dumps(CANARY),
}


async def test_the_transcripts_table_holds_no_secret_in_any_spelling(tmp_path: Path) -> None:
    """Issue 6, 8: said, handed to a tool, answered by one, and as a name of a member."""
    redactor, path = Redactor(), tmp_path / "jobs.db"
    redactor.know("KEY", CANARY)
    async with open_store(path) as store:
        run = examples.run()
        await store.runs.add(run)
        transcript = Transcript(run.id, lambda: 1, redactor.hide_tree)
        for text in SPELT.values():
            said = f"It is {text}, as you asked."
            transcript.add(SystemMessage("init", {"cwd": said, "more": [{said: said}]}))
            blocks = [TextBlock(said), ToolUseBlock("t1", "mcp__x__send", {"to": said, said: 1})]
            transcript.add(AssistantMessage(blocks, "a model"))
            result = ToolResultBlock("t1", [{"type": "text", "text": said}])
            transcript.add(UserMessage([result]))
        await store.runs.append_messages(transcript.take_unsaved())
    with sqlite3.connect(path) as database:
        bodies = [row[0] for row in database.execute("SELECT body FROM run_messages")]
    database.close()
    assert len(bodies) == 3 * len(SPELT)
    kept = "\n".join(bodies) + "\n" + "\n".join(str(json.loads(each)) for each in bodies)
    assert [name for name, text in SPELT.items() if text in kept] == []
    assert kept.count("as you asked") >= 2 * len(bodies)
