"""The request for a training, and its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from manyseeds.backend.settings import Device, Precision
from manyseeds.errors import RequestError, unknown
from manyseeds.model.limits import MOST_SEEDS
from manyseeds.randomness.streams import STREAMS, Stream


@dataclass(frozen=True)
class Options:
    """The options of a training; None leaves the choice to the suite.

    Attributes
    ----------
    backends
        Names of backends, which must be installed; () takes all that are installed.
    recipes
        Names of recipes; () takes all.
    vary
        The streams a seed drives; () takes those of the suite, and its variance study.
    threads
        CPU threads of each backend; None: all cores, or its share of them.
    beside
        How many backends train at once, each on its share of the cores.
    memory
        Bytes a cohort may take; None: a share of what is free.
    """

    seeds: int | None = None
    lanes: int | None = None
    solo: int | None = None
    backends: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    vary: tuple[Stream, ...] = ()
    device: Device = "cpu"
    precision: Precision = "float32"
    deterministic: bool = True
    tf32: bool = False
    threads: int | None = None
    beside: int = 1
    memory: int | None = None

    def __post_init__(self) -> None:
        for key in ("seeds", "lanes", "threads", "beside"):
            value = getattr(self, key)
            if value is not None and value < 1:
                raise RequestError(f"--{key} {value}: expected at least 1")
        for key in ("seeds", "lanes", "solo"):
            if (getattr(self, key) or 0) > MOST_SEEDS:
                raise RequestError(f"--{key} {getattr(self, key)}: expected at most {MOST_SEEDS}")
        if self.memory is not None and self.memory < 1:  # --memory is in GiB, and checked before
            raise RequestError(f"memory = {self.memory}: expected at least 1 byte")
        if self.solo is not None and self.solo < 0:
            raise RequestError(f"--solo {self.solo}: expected 0 or more")
        if self.beside > 1 and self.device != "cpu":
            raise RequestError(
                f"--beside {self.beside}: backends would share one GPU, and distort each "
                "other's seconds and memory. Leave it out, or train with --device cpu"
            )
        for stream in self.vary:
            if stream not in STREAMS:
                raise RequestError(f"--vary: {unknown('stream', stream, STREAMS)}")
            if self.vary.count(stream) > 1:
                raise RequestError(f"--vary {stream}: given twice")


@dataclass(frozen=True)
class TrainingRequest:
    """Suites to train, or a run to continue.

    Attributes
    ----------
    suites
        Names, or paths of TOML files.
    everything
        All bundled suites, instead of `suites`.
    quick
        The suites' quick forms.
    results
        Folder in which each run gets a folder.
    resume
        A run to continue as planned, instead of suites.
    other_versions
        Whether to continue a run also under other versions than those of its earlier rows.
    timeout
        Seconds without an epoch after which a job is abandoned.
    options
        The options of the training.
    """

    suites: tuple[str, ...] = ()
    everything: bool = False
    quick: bool = False
    results: Path = Path("results")
    resume: str | None = None
    other_versions: bool = False
    timeout: float | None = None
    options: Options = Options()

    def __post_init__(self) -> None:
        if self.timeout is not None and not self.timeout > 0:
            raise RequestError(f"--timeout {self.timeout:g}: expected more than 0 seconds")
        is_new = self.suites or self.everything or self.quick or self.options != Options()
        if self.resume is not None and is_new:
            raise RequestError(
                "--resume continues a run as planned: give no suite with it, and no option "
                "but --other-versions, --timeout, --results and --json"
            )
        if self.other_versions and self.resume is None:
            raise RequestError("--other-versions is for a run to continue: name it with --resume")
        if self.everything and self.suites:
            raise RequestError("--all trains every suite: give no suite with it")
