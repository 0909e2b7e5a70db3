"""The tool that shows what runs cost."""

from typing import Annotated

from fastmcp.tools import tool
from pydantic import Field

from gateway.budgets.report import MAX_DAYS, CostReport, Costs
from gateway.domain.budget import CostGroup
from gateway.domain.clock import utc_ms
from gateway.tools.hints import READ
from gateway.tools.services import Services


class CostTools:
    """get_costs."""

    def __init__(self, services: Services) -> None:
        self._report = CostReport(services.store, services.settings)

    @tool(title="Show what runs cost", annotations=READ)
    async def get_costs(
        self,
        by: Annotated[
            CostGroup,
            Field(description="By day, job (webhooks too), webhook, model or server."),
        ] = CostGroup.DAY,
        days: Annotated[
            int, Field(ge=1, le=MAX_DAYS, description="Today and so many days before, less one.")
        ] = 30,
        job_id: Annotated[
            str | None, Field(max_length=64, description="Only the runs of this job or webhook.")
        ] = None,
    ) -> Costs:
        """Show what runs cost in the last days, in US dollars and tokens, by list prices."""
        return await self._report.read(by, days, job_id, now=utc_ms())
