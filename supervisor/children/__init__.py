"""One generation of a server: its process, the wire to it, what it said and how it ended."""
