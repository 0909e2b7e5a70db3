"""Jobs and runs: when a run is due, who executes it, and what one execution is.

Sits on the store and on the Agent SDK; reaches MCP servers only through a ServerGate.
"""
