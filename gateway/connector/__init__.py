"""The connector doctor: walks claude.ai's way to this gateway and says what would fail, and why.

`doctor.py` walks; each step is a pure look at what came back. Above: a page, a command.
"""
