"""`python -m seglab <verb>`: set up what is missing, then run the command line."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - comes before anything that an older Python cannot read
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    sys.exit(f"seglab needs Python 3.11 or newer, and {sys.executable} is Python {version}.")

if __name__ == "__main__":
    from seglab.bootstrap import main

    sys.exit(main())
