"""`seglab <verb>`: reads the command line, calls the library, prints one line for a caller's mistake.

The verbs lie in the modules of this package and import what they need when they are called: `seglab --help`
should not wait for torch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import tyro

from seglab.cli.app import app
from seglab.errors import SeglabError

# isort: off
# Importing a module registers its verbs, in the order of the help.
from seglab.cli import training, evaluation, models, data, study  # noqa: F401


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0, or that of the error (`seglab.errors`)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    if debug:
        arguments.remove("--debug")
    try:
        app.cli(
            args=arguments or ["--help"],
            prog="seglab",
            description="A study of small semantic-segmentation networks. --debug shows tracebacks.",
            config=(tyro.conf.FlagCreatePairsOff,),
        )
    except SeglabError as error:
        if debug:
            raise
        print(f"seglab: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if debug:
            raise
        print(f"seglab: {error.filename or 'system'}: {error.strerror or error}", file=sys.stderr)
        return 4
    except KeyboardInterrupt as stop:
        print(f"seglab: {str(stop) or 'interrupted'}", file=sys.stderr)
        return getattr(stop, "exit_code", 130)
    return 0
