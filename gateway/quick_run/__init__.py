"""The page on which the owner has a prompt run now.

Above: the dashboard. Below: `gateway.jobs.quick_runs`, which `run_prompt` uses as well.
"""

from gateway.quick_run.opening import open_quick_run

__all__ = ["open_quick_run"]
