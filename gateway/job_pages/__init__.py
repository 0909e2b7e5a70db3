"""Where the owner sees, makes and changes jobs in a browser.

Above: the dashboard. Below: `gateway.jobs.desk`, which the management tools use as well.
"""

from gateway.job_pages.opening import open_job_pages

__all__ = ["open_job_pages"]
