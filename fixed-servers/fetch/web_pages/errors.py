"""Why a page cannot be read, in one sentence for a person."""


class FetchError(Exception):
    """A page cannot be had, or holds nothing that can be read."""
