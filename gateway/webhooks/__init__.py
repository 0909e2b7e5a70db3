"""Webhooks: a POST from outside becomes the prompt of a run."""

from gateway.webhooks.intake import build_intake

__all__ = ["build_intake"]
