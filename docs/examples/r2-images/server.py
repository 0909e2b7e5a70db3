"""Images in object storage: Cloudflare R2, by boto3, which this server has an environment for."""

import base64
import binascii
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.utilities.types import Image
from pydantic import Field

BUCKET = os.environ["R2_BUCKET"]
MAX_BYTES = 5_000_000
FORMATS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}
"""By how their files begin."""
REASONS = {
    "NoSuchBucket": "There is no bucket {bucket!r}; its owner has to make it or set R2_BUCKET.",
    "NoSuchKey": "There is no image {name!r}; list_images shows which there are.",
    "404": "There is no image {name!r}; list_images shows which there are.",
}
KEY_REFUSED = "The storage refuses the key; its owner has to set one that may read and write."
STORAGE = boto3.client(
    "s3",
    endpoint_url=f"https://{os.environ['R2_ACCOUNT_ID']}.r2.cloudflarestorage.com",
    aws_access_key_id=os.environ["R2_ACCESS_KEY_ID"],
    aws_secret_access_key=os.environ["R2_SECRET_ACCESS_KEY"],
    region_name="auto",
    config=Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"max_attempts": 2},
        # The host that is granted has the account's name; a bucket's name before it is another one.
        s3={"addressing_style": "path"},
        # R2 has not every checksum that boto3 adds by itself.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    ),
)

mcp = FastMCP("r2-images")

Name = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$", description="Such as 2026/cat.png")
]


@mcp.tool
def store_image(
    name: Name,
    data: Annotated[str, Field(max_length=MAX_BYTES * 4 // 3 + 4, description="Base64")],
) -> dict[str, Any]:
    """Store a PNG, JPEG, GIF or WebP image of 5 MB at most; one of the same name is replaced."""
    try:
        content = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ToolError(f"The data is no base64: {error}.") from error
    kind = f"image/{_format(content)}"
    with _storage(name):
        STORAGE.put_object(Bucket=BUCKET, Key=name, Body=content, ContentType=kind)
    return {"name": name, "bytes": len(content), "type": kind}


@mcp.tool(annotations={"readOnlyHint": True, "openWorldHint": True})
def list_images(
    prefix: Annotated[str, Field(max_length=200, description="How names begin")] = "",
    limit: Annotated[int, Field(ge=1, le=1000)] = 100,
) -> list[dict[str, Any]]:
    """List images by name, with their sizes and when they were stored."""
    with _storage():
        found = STORAGE.list_objects_v2(Bucket=BUCKET, Prefix=prefix, MaxKeys=limit)
    return [
        {
            "name": each["Key"],
            "bytes": each["Size"],
            "stored_at": each["LastModified"].isoformat(),
        }
        for each in found.get("Contents", [])
    ]


@mcp.tool(annotations={"readOnlyHint": True, "openWorldHint": True})
def view_image(name: Name) -> Image:
    """Return an image, to be looked at."""
    with _storage(name):
        found = STORAGE.get_object(Bucket=BUCKET, Key=name)
        if found["ContentLength"] > MAX_BYTES:
            raise ToolError(f"{name!r} has {found['ContentLength']} bytes, too many to be shown.")
        content = found["Body"].read()
    return Image(data=content, format=_format(content))


@mcp.tool(annotations={"readOnlyHint": True})
def link_to_image(
    name: Name, hours: Annotated[int, Field(ge=1, le=168, description="How long it works")] = 1
) -> str:
    """Return an address by which anybody can get an image for some hours, without a key."""
    with _storage(name):
        STORAGE.head_object(Bucket=BUCKET, Key=name)
        return STORAGE.generate_presigned_url(
            "get_object", {"Bucket": BUCKET, "Key": name}, ExpiresIn=hours * 3600
        )


@mcp.tool(annotations={"destructiveHint": True})
def delete_image(name: Name) -> str:
    """Delete an image for good."""
    with _storage(name):
        STORAGE.head_object(Bucket=BUCKET, Key=name)
        STORAGE.delete_object(Bucket=BUCKET, Key=name)
    return f"{name!r} is deleted."


def _format(content: bytes) -> str:
    found = next((kind for start, kind in FORMATS.items() if content.startswith(start)), None)
    if found is None:
        raise ToolError("This is no PNG, JPEG, GIF or WebP image.")
    return found


@contextmanager
def _storage(name: str = "") -> Iterator[None]:
    """Say in one sentence what the storage refuses in the body."""
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = error.response["Error"]["Code"]
        if code in REASONS:
            raise ToolError(REASONS[code].format(bucket=BUCKET, name=name)) from error
        if status in (401, 403):
            raise ToolError(KEY_REFUSED) from error
        raise ToolError(f"The storage answered {code}; try again later.") from error
    except BotoCoreError as error:
        raise ToolError(f"The storage cannot be reached: {error}. Try again later.") from error


if __name__ == "__main__":
    mcp.run()
