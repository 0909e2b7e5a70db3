"""Relays MCP over HTTP to the live children; params and results pass as the bytes they are."""
