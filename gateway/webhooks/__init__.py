"""Webhooks: a POST from outside becomes the prompt of a run."""

from gateway.webhooks.opening import Webhooks, open_webhooks

__all__ = ["Webhooks", "open_webhooks"]
