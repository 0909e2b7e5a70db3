"""Definitions of tools: pinned when they are first seen, withheld when they change by themselves.

An owner's own edit of a server is followed; whatever else changes a definition waits for approval.
"""
