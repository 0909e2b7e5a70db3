"""Measures the relay beside its peers, the bare pipe, and a relay that does nothing else."""
