"""Weather from tomorrow.io: an API with a key, which arrives as a credential."""

import os
from typing import Annotated, Any, Literal

import httpx2
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from pydantic import Field

API = "https://api.tomorrow.io/v4"
TIMEOUT_S = 20
KEY = os.environ["TOMORROW_API_KEY"]
MEASURES = {
    "temperature": "temperature",
    "temperatureApparent": "feels_like",
    "humidity": "humidity_percent",
    "precipitationProbability": "precipitation_percent",
    "cloudCover": "cloud_cover_percent",
    "windSpeed": "wind_speed",
    "windDirection": "wind_from_degrees",
}
"""What the API calls the figures, and what we call them."""
REASONS = {
    400: "does not know this place; name a city and its country, or a latitude and a longitude",
    401: "does not accept TOMORROW_API_KEY; its owner has to set another one",
    403: "does not accept TOMORROW_API_KEY; its owner has to set another one",
    429: "has been asked too often with this key; try again in an hour",
}

mcp = FastMCP("weather")

Place = Annotated[
    str,
    Field(min_length=2, max_length=200, description='"Lisbon, Portugal", or "38.72,-9.14"'),
]
Units = Annotated[
    Literal["metric", "imperial"], Field(description="Celsius and m/s, or Fahrenheit and mph")
]


@mcp.tool(annotations={"readOnlyHint": True, "openWorldHint": True})
async def current_weather(place: Place, units: Units = "metric") -> dict[str, Any]:
    """Return the weather at a place now: temperature, humidity, rain, clouds and wind."""
    said = await _ask("/weather/realtime", location=place, units=units)
    return {
        "place": said["location"].get("name", place),
        "time": said["data"]["time"],
        **_measures(said["data"]["values"]),
    }


@mcp.tool(annotations={"readOnlyHint": True, "openWorldHint": True})
async def forecast(
    place: Place,
    hours: Annotated[int, Field(ge=1, le=120, description="How far")] = 24,
    units: Units = "metric",
) -> dict[str, Any]:
    """Return the weather at a place for each of the next hours."""
    said = await _ask("/weather/forecast", location=place, units=units, timesteps="1h")
    return {
        "place": said["location"].get("name", place),
        "hours": [
            {"time": each["time"], **_measures(each["values"])}
            for each in said["timelines"]["hourly"][:hours]
        ],
    }


async def _ask(path: str, **parameters: str) -> dict[str, Any]:
    """Return what the API answers.

    The key goes in a header: an address with a key in it ends up in logs and in errors.
    """
    try:
        async with httpx2.AsyncClient(headers={"apikey": KEY}, timeout=TIMEOUT_S) as api:
            answer = await api.get(API + path, params=parameters)
    except httpx2.HTTPError as error:
        raise ToolError(f"tomorrow.io cannot be reached: {error}. Try again later.") from error
    if answer.status_code != 200:
        reason = f"answered with status {answer.status_code}; try again later"
        raise ToolError(f"tomorrow.io {REASONS.get(answer.status_code, reason)}.")
    return answer.json()


def _measures(values: dict[str, Any]) -> dict[str, Any]:
    return {ours: values[theirs] for theirs, ours in MEASURES.items() if theirs in values}


if __name__ == "__main__":
    mcp.run()
