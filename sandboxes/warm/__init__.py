"""Children without a start of Python: forks of a pre-imported process, and processes that wait."""
