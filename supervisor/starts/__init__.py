"""From a spec to a process: its libraries, its sandbox, and the fastest way to start it."""
