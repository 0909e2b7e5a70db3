"""The management tools: what Claude can do with this gateway, as one MCP server.

Sits on the services of the composition root. `management` loads `server`, and FastMCP with it, when
somebody asks for a tool.
"""

from gateway.tools.management import Management
from gateway.tools.services import Services

__all__ = ["Management", "Services"]
