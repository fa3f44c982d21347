"""The one error a user of devhost is meant to read."""


class DevhostError(Exception):
    """Devhost cannot start as asked. The message says what to change; the process ends with code 2."""
