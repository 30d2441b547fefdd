"""Times a backend that is slowed down: a stand-in for `manyseeds.check.timing.clock_process`.

Its one argument is the factor: with 1.15 every call takes 1.15 times as long.
"""

from time import process_time

from manyseeds.backend.discovery import backend_entry
from manyseeds.check.timing import clock_process
from manyseeds.processes.serving import worker_arguments

SLOWED = ("train", "evaluate", "score")


class Slowed:
    """Forwards to another object, then keeps the CPU busy for a share of the time that took."""

    def __init__(self, inner, share):
        self.inner, self.share = inner, share

    def __getattr__(self, name):
        found = getattr(self.inner, name)
        if name in ("open", "cohort"):
            return lambda *arguments: Slowed(found(*arguments), self.share)
        if name not in SLOWED:
            return found

        def call(*arguments, **named):
            started = process_time()
            answer = found(*arguments, **named)
            until = process_time() + self.share * (process_time() - started)
            while process_time() < until:
                pass
            return answer

        return call


if __name__ == "__main__":
    times = float(worker_arguments()[0])
    clock_process.backend_entry = lambda name: Slowed(backend_entry(name), times - 1)
    clock_process.main()
