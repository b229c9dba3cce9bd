"""Ctrl-C and SIGTERM: the training finishes its step, saves, and says how to go on."""

from __future__ import annotations

import signal
import threading
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A training was asked to stop, and has saved its state.

    Args:
        message: Where the state is and how to go on.
        number: The signal.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number  # as shells count


class StopRequest:
    """Whether a signal has asked the training to stop; a context in which signals are listened to.

    The first signal is only noted. The second one acts as signals do without this. Outside the main thread
    Python delivers no signals, and nothing changes.
    """

    def __init__(self) -> None:
        self.number = 0

    def __bool__(self) -> bool:
        return self.number > 0

    def __enter__(self) -> StopRequest:
        self._handlers = {}
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self.__exit__()
