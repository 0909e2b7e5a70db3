"""Usage out of answers as their bytes pass."""

import json

from gateway.budgets.prices import Usage
from gateway.forwarder.answer import AnswerReader


def event(kind: str, **fields: object) -> bytes:
    """Return one event of a stream."""
    return f"event: {kind}\r\ndata: {json.dumps({'type': kind, **fields})}\r\n\r\n".encode()


START = event(
    "message_start",
    message={"model": "claude-opus-5-5", "usage": {"input_tokens": 9, "output_tokens": 1}},
)
DELTA = event("content_block_delta", delta={"type": "text_delta", "text": "x" * 290})
END = event("message_delta", usage={"input_tokens": None, "output_tokens": 40})


def read(stream: bytes, step: int) -> AnswerReader:
    """Return a reader that got the stream in pieces."""
    reader = AnswerReader(streamed=True)
    for at in range(0, len(stream), step):
        reader.feed(stream[at : at + step])
    return reader


def test_pieces_of_any_size_tell_the_same() -> None:
    """Ours: a network cuts where it likes."""
    for step in (1, 7, 10_000):
        reader = read(START + DELTA + END, step)
        assert (reader.model, reader.usage()) == ("claude-opus-5-5", Usage(input=9, output=40))


def test_a_stream_that_was_cut_is_estimated_by_its_length() -> None:
    """Ours: hanging up before the last event does not make an answer free."""
    assert read(START + DELTA, 1000).usage() == Usage(input=9, output=100)


def test_nonsense_is_passed_over() -> None:
    """Ours: what is not understood is not counted and does no harm."""
    noise = b"data: {\n\ndata: []\n\n: ping\n\n" + event("message_start", message=[])
    assert read(noise, 3).usage() == Usage()
