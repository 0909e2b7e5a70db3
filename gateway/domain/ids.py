"""Identifiers: a short kind, an underscore, and 80 random bits in lower-case base 32."""

import base64
import secrets


def new_id(kind: str) -> str:
    """Return a fresh identifier such as ``job_k3v7q2m5x4a6b1cd``."""
    return f"{kind}_{base64.b32encode(secrets.token_bytes(10)).decode('ascii').lower()}"
