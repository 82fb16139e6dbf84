"""Why nothing was started."""


class CannotStart(Exception):
    """Something the user has to change first; the message is one line that says what."""
