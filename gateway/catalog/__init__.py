"""Servers of the MCP registry, PyPI and npm, and programs of this machine: added and updated."""
