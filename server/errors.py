"""Why a command can't do its work."""


class StartError(Exception):
    """A sentence that says why the server can't start."""
