"""Servers that other MCP clients know, as servers of this gateway, and back again."""
