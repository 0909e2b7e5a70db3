"""What can go wrong, in one sentence for a person."""


class FilesError(Exception):
    """Something cannot be done; nothing was changed."""
