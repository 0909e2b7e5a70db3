"""Everything that faces people: HTTP, tokens, MCP tools, dashboard, jobs, store and command line."""
