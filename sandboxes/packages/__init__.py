"""Environments of servers: a virtual environment or node_modules a recipe, built confined."""
