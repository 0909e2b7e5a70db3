"""Calls of tools beyond one answer: results that are too large, calls that are too long."""
