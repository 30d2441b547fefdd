"""How a worker process ended: its status or signal, and the end of its output."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from manyseeds.errors import RunError


@dataclass(frozen=True)
class Death:
    """The end of a worker process.

    Attributes
    ----------
    status
        Its exit status, or minus the number of the signal that killed it; None if it closed its
        pipe and had to be killed.
    log
        The end of its output.
    """

    status: int | None
    log: str

    @property
    def cause(self) -> str:
        """A clause: "died of SIGSEGV", "ended with status 1"."""
        if self.status is None:
            return "closed its pipe without ending"
        if self.status < 0:
            return f"died of {_signal_name(-self.status)}"
        return f"ended with status {self.status}"

    @property
    def cause_and_last_words(self) -> str:
        """The cause; with the last line of its output if it ended with an error of its own."""
        failed = self.status is not None and self.status > 0
        return f"{self.cause}: {self.last_line}" if failed else self.cause

    @property
    def killed(self) -> bool:
        """Whether it was killed by SIGKILL, as the system does when memory runs out."""
        return self.status == -signal.SIGKILL

    @property
    def last_line(self) -> str:
        """The last line it printed."""
        return (self.log.strip().splitlines() or ["it printed nothing"])[-1]


def _signal_name(number: int) -> str:
    """Return a signal's name; real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class WorkerDiedError(RunError):
    """A worker process ended before it answered."""

    def __init__(self, death: Death) -> None:
        super().__init__(f"a worker process {death.cause}: {death.log}")
        self.death = death
