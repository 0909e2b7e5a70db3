"""The OAuth 2.1 authorization server: clients, the owner's consent, codes and tokens.

Lives at the origin root. Sits on `store` and `auth`; the guard only looks tokens up.
"""
