"""The doctor of this machine: what it offers a gateway, one line per finding.

`machine.py` looks; the command line and a page show the same. claude.ai's way here has a doctor of
its own in `gateway/connector`.
"""
