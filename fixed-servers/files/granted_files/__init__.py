"""What the files server is made of; server.py has its tools."""
