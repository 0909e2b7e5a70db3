"""Hides secrets in what is written down or shown: known values in many spellings, and key formats.

A net for accidents: who means to get a secret past it can always spell it in another way. What
callers of the relay get is not touched. Above: whatever writes what programs said.
"""

from supervisor.redaction.redactor import Redactor

__all__ = ["Redactor"]
