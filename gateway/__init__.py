"""Everything that faces people: HTTP, tokens, MCP tools, dashboard, jobs, store, command line."""
