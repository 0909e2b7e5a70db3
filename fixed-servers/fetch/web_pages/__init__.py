"""Web pages as text, links and tables; what `server.py` offers as tools."""
