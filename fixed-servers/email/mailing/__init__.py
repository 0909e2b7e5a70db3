"""What the e-mail server is made of; server.py has its tools."""
