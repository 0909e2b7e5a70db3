"""Which children run, when they restart and reload, and the relay to them.

Knows MCP's wire and processes; learns of the world by arguments and tells it by typed events.
"""
