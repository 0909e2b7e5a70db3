"""From folders to specs: what a server's files say, and when they change."""
