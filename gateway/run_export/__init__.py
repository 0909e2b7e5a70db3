"""Writes runs out: as lines of JSON and as CSV, a page at a time, as they are stored."""
