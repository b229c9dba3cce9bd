"""The mistakes a caller can make, each with the exit code that the command line answers with.

Every message is one sentence or two: what came, what is allowed, and which file or field. Anything
that is not a `SeglabError` is a fault of seglab itself and keeps its traceback.
"""


class SeglabError(ValueError):
    """A caller's mistake; the command line prints the message alone and exits with `exit_code`.

    Args:
        message: Names of files and fields may stand in it as they are: what is not printable is escaped, so
            that a line break in a name does not break the line.
    """

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in message))


class ConfigError(SeglabError):
    """An unknown field, a value of the wrong type or out of range, an unknown name."""


class DataError(SeglabError):
    """A picture, mask or data-set folder that cannot be used; the message names the file."""

    exit_code = 6


class DiskError(SeglabError, OSError):
    """A file that cannot be written; what was there before is intact."""

    exit_code = 4


class RunError(SeglabError):
    """A run folder that exists already, is in use, or lacks what is asked of it."""

    exit_code = 5


class CheckpointError(SeglabError):
    """A checkpoint that is damaged, or that belongs to another network or run."""

    exit_code = 7


class DivergedError(SeglabError):
    """The loss, or what the network answers, is not finite; the last good checkpoint is intact."""

    exit_code = 3
