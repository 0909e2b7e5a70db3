"""How one child is confined and started. Knows nothing of MCP; the floor below `supervisor`."""
