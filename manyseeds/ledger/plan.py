"""The plan: every row promised, written down before the first training.

A row is one training that will be accounted for; a job is the rows trained together as one
cohort. The number of lanes is part of the plan, so that a plan repeats bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Literal, NamedTuple

from pydantic import Field

from manyseeds.backend.settings import Device, Precision, Settings
from manyseeds.model import Model
from manyseeds.randomness.streams import Stream

Mode = Literal["cohort", "solo"]


class RowKey(NamedTuple):
    """What tells one promised row from another."""

    recipe: str
    case: str
    backend: str
    mode: Mode
    vary: str
    seed: int


class Job(Model):
    """Rows trained together: the lanes of one cohort.

    Attributes
    ----------
    id
        Number in the plan, from 0, in the order of training.
    case
        The suite's parameter, such as the pair of target classes "5-6"; "" if it has none.
    mode
        "cohort", or "solo": one lane, the only kind whose seconds stand for one training.
    vary
        Which streams the seed drives: their names joined by "+".
    seeds
        One lane each.
    """

    id: int
    backend: str
    recipe: str
    case: str
    mode: Mode
    vary: str
    seeds: tuple[int, ...] = Field(min_length=1)

    @property
    def varied(self) -> tuple[Stream, ...]:
        """The streams the seed drives."""
        return tuple(self.vary.split("+"))  # type: ignore[arg-type]

    def rows(self) -> Iterator[RowKey]:
        """Yield the rows this job promises."""
        for seed in self.seeds:
            yield RowKey(self.recipe, self.case, self.backend, self.mode, self.vary, seed)


class Unsupported(Model):
    """A recipe that a backend cannot train, and why; its rows are not promised, but shown."""

    backend: str
    recipe: str
    reason: str


class Plan(Model):
    """All that a run promises.

    Attributes
    ----------
    run
        Name of the run, and of its folder.
    suite, suite_file, suite_text, suite_sha256
        The suite's name, where it was read from (without a folder if it came along), and its
        text and SHA-256 as read.
    quick
        The suite's quick form.
    device, precision, deterministic, tf32, threads
        How every backend is opened.
    beside
        How many backends train at once.
    primary
        The metric that claims are about.
    unsupported
        What a backend cannot train.
    jobs
        In the order of training.
    """

    run: str
    suite: str
    suite_file: str
    suite_text: str
    suite_sha256: str
    quick: bool
    device: Device
    precision: Precision
    deterministic: bool = True
    tf32: bool = False
    threads: int | None = None
    beside: int = 1
    primary: str
    unsupported: tuple[Unsupported, ...] = ()
    jobs: tuple[Job, ...]

    def rows(self) -> Iterator[RowKey]:
        """Yield every row promised, in order."""
        for job in self.jobs:
            yield from job.rows()

    def settings(self) -> Settings:
        """Return how its backends are opened."""
        return Settings(**{field.name: getattr(self, field.name) for field in fields(Settings)})

    def backends(self) -> tuple[str, ...]:
        """Return the backends with rows in this plan, in order of first use."""
        return tuple(dict.fromkeys(job.backend for job in self.jobs))
