"""Clients whose id is the address of a document that describes them.

Source: draft-ietf-oauth-client-id-metadata-document, MCP basic/authorization.
"""
