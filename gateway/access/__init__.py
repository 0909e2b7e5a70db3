"""The page on which the owner sees and ends whatever may come in: browsers, clients, tokens.

Sits on `dashboard`, `oauth` and `auth`.
"""
