"""What is taken from a child before foreign code runs: namespaces, limits, user, files, calls."""
