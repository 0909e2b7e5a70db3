"""Offers deliveries to a live gateway from a process of its own: `python webhook_senders.py PLAN`.

The plan is a JSON object; one line of JSON on standard output tells what came back.
"""

import asyncio
import hashlib
import hmac
import json
import sys
import time
from collections import Counter
from typing import Any

CONNECTIONS = 128
"""One that waits for an answer offers nothing: so many keep the rate up to answers of 0.25 s."""
KINDS = ("fresh", "fresh", "fresh", "duplicate", "forged", "oversize", "fresh", "duplicate")
"""One in eight is forged, one too large, two came before."""
MAX_BODY = 1024 * 1024


def body_of(number: int) -> bytes:
    """Return the payload of the delivery with this number."""
    return json.dumps({"n": number}).encode()


async def main(plan: dict[str, Any]) -> None:
    """Offer `rate` deliveries a second for `seconds`, and print what became of them."""
    total = plan["rate"] * plan["seconds"]
    requests = [request(plan, number) for number in range(total)]
    began = time.monotonic()
    numbers = iter(range(total))
    found: list[tuple[str, int, str, bool]] = []

    async def send() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", plan["port"])
        for number in numbers:
            wait = began + number / plan["rate"] - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            if writer.is_closing():
                reader, writer = await asyncio.open_connection("127.0.0.1", plan["port"])
            kind, message = requests[number]
            writer.write(message)
            try:
                status, run_id, again, closed = await answer(reader)
            except (asyncio.IncompleteReadError, ConnectionError):
                status, run_id, again, closed = 0, "", False, True
            found.append((kind, status, run_id, again))
            if closed:
                writer.close()

    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
    took = time.monotonic() - began
    counts = Counter(f"{kind} {status}" for kind, status, _, _ in found)
    accepted = [run_id for _, status, run_id, _ in found if status == 202]
    known = [run_id for _, status, run_id, _ in found if status == 200]
    hurried = sum(1 for _, status, _, again in found if status in (429, 503) and not again)
    print(json.dumps({"took_s": took, "counts": counts, "accepted": accepted, "known": known,
                      "without_retry_after": hurried}))  # fmt: skip


def request(plan: dict[str, Any], number: int) -> tuple[str, bytes]:
    """Return the kind of a delivery, and all its bytes."""
    kind = KINDS[number % len(KINDS)]
    # What comes again is the latest fresh one of this or the last round.
    body = body_of(number - number % len(KINDS) if kind == "duplicate" else number)
    secret = "a-wrong-secret-for-this" if kind == "forged" else plan["secret"]
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    size = MAX_BODY + 1 if kind == "oversize" else len(body)
    delivery = hashlib.sha256(body).hexdigest()
    head = (
        f"POST {plan['path']} HTTP/1.1\r\nHost: 127.0.0.1:{plan['port']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {size}\r\n"
        f"X-GitHub-Delivery: {delivery}\r\nX-Hub-Signature-256: sha256={digest}\r\n\r\n"
    )
    # Its length is enough to refuse it.
    return kind, head.encode() + (b"" if kind == "oversize" else body)


async def answer(reader: asyncio.StreamReader) -> tuple[int, str, bool, bool]:
    """Return status, run, whether it says when to come again, and whether this was the last."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = next(
        int(line.partition(":")[2])
        for line in head.split("\r\n")
        if line.startswith("content-length")
    )
    body = json.loads(await reader.readexactly(length) or b"{}")
    status = int(head.split(" ", 2)[1])
    closed = "connection: close" in head or status == 413
    return status, str(body.get("run_id", "")), "retry-after" in head, closed


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
