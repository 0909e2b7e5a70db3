"""`/mcp/all`: tools, prompts and resources of all enabled servers behind one MCP endpoint.

Names say whose a thing is, so a message is routed by its name alone and relayed as on a server's
own endpoint. Above: the router. Below: `gateway.relay` and the supervisor's slots.
"""
