"""What a tool answered, as a page shows it: text that is escaped, images of safe types. Pure."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

SAFE_IMAGES = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
"""Types that hold no program, and how their files begin."""
MAX_TEXT = 256 * 1024
"""Characters that are shown of one answer."""
MIN_TEXT = 200
"""Of each part, however much came before it."""
MAX_IMAGES = 2 * 1024 * 1024
"""Characters of base64 in all images of one answer."""
MAX_BLOCKS = 200
MAX_TYPE = 60


@dataclass(frozen=True, slots=True)
class Shown:
    """One part of an answer: a text, or an image."""

    title: str
    text: str = ""
    image: str = ""
    """A `data:` address."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one call."""

    tool: str
    arguments: str
    took_ms: float
    word: str
    tone: str
    parts: tuple[Shown, ...] = ()
    sentence: str = ""
    """Why there is no answer."""
    lines: tuple[str, ...] = ()
    """The end of standard error, where the server died of it."""
    rest: str = ""
    """The handle of all of its text, where that is too long to be shown at once."""


def parts_of(result: Mapping[str, Any]) -> tuple[Shown, ...]:
    """Return what a result holds, in order, as far as it is shown."""
    room_text, room_images, shown = MAX_TEXT, MAX_IMAGES, list[Shown]()
    for part in _parts(result):
        if part.image:
            room_images -= len(part.image)
            fits = room_images >= 0
            shown.append(part if fits else Shown(part.title, "Too large to be shown here."))
            continue
        cut = part.text[: max(MIN_TEXT, room_text)]
        room_text -= len(part.text)
        left_out = len(part.text) - len(cut)
        more = f"\n… {left_out:,} more characters" if left_out else ""
        shown.append(Shown(part.title, cut + more))
    return tuple(shown)


def whole_text(result: Mapping[str, Any]) -> str:
    """Return all text of a result that is too long to be shown at once; else nothing."""
    texts = [part.text for part in _parts(result) if not part.image]
    return "\n\n".join(texts) if sum(map(len, texts)) > MAX_TEXT else ""


def _parts(result: Mapping[str, Any]) -> Iterator[Shown]:
    content: object = result.get("content")
    blocks = cast("list[object]", content) if isinstance(content, list) else []
    for block in blocks[:MAX_BLOCKS]:
        yield _block(cast("dict[str, Any]", block) if isinstance(block, dict) else {})
    if len(blocks) > MAX_BLOCKS:
        yield Shown("More", f"{len(blocks) - MAX_BLOCKS} more blocks")
    if (structured := result.get("structuredContent")) is not None:
        yield Shown("Structured content", _pretty(structured))


def _block(block: dict[str, Any]) -> Shown:
    match block.get("type"):
        case "text":
            return Shown("Text", str(block.get("text", "")))
        case "image":
            return _image(block)
        case "audio":
            kind = str(block.get("mimeType", "unknown"))[:MAX_TYPE]
            return Shown("Sound", f"{kind}, {len(str(block.get('data', ''))):,} characters")
        case _:
            return Shown("Other", _pretty(block))


def _image(block: dict[str, Any]) -> Shown:
    kind, data = str(block.get("mimeType", "")), str(block.get("data", ""))
    title = f"Image {kind[:MAX_TYPE]}"
    begin = SAFE_IMAGES.get(kind)
    if begin is None:
        return Shown(title, "Images of this type are not shown.")
    if len(data) > MAX_IMAGES:
        return Shown(title, "Too large to be shown here.")
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return Shown(title, "It is no base64.")
    if not content.startswith(begin):
        return Shown(title, "It is not what it says it is.")
    return Shown(title, image=f"data:{kind};base64,{data}")


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
