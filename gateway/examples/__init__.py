"""Servers to learn from, in docs/examples: listed, and added as dynamic servers like any other."""
