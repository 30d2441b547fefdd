"""The plan: every promised row, written to disk before the first training.

A row is one training that the run accounts for; a job is the rows that are trained together as one
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
    """The identity of a promised row."""

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
        The job's number in the plan, from 0, in the order of training.
    backend, recipe
        The names of the backend and of the recipe.
    case
        The value of the suite's parameter, such as the pair of target classes "5-6"; "" if the
        recipe does not depend on it.
    mode
        "cohort", or "solo": one lane, the only kind whose seconds stand for one training.
    vary
        The streams that the seed drives, their names joined by "+".
    seeds
        The seeds, one for each lane.
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
        """The streams that the seed drives."""
        return tuple(self.vary.split("+"))  # type: ignore[arg-type]

    def rows(self) -> Iterator[RowKey]:
        """Yield the rows that this job promises."""
        for seed in self.seeds:
            yield RowKey(self.recipe, self.case, self.backend, self.mode, self.vary, seed)


class Unsupported(Model):
    """A recipe that a backend cannot train, and why; its rows are not promised, but reported."""

    backend: str
    recipe: str
    reason: str


class Plan(Model):
    """Everything that a run promises.

    Attributes
    ----------
    run
        The name of the run and of its folder.
    suite, suite_file, suite_text, suite_sha256
        The suite's name, its file (without the folder for a bundled suite), its text and the
        SHA-256 of the text.
    quick
        Whether the run trains the suite's quick form.
    device, precision, deterministic, tf32, threads
        The settings with which every backend is opened.
    beside
        Number of backends that train at the same time.
    primary
        The metric that claims are about.
    unsupported
        The recipes that a backend cannot train.
    jobs
        The jobs, in the order of training.
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
        """Yield every promised row, in the order of the jobs."""
        for job in self.jobs:
            yield from job.rows()

    def settings(self) -> Settings:
        """Return the settings with which the backends are opened."""
        return Settings(**{field.name: getattr(self, field.name) for field in fields(Settings)})

    def backends(self) -> tuple[str, ...]:
        """Return the names of the backends with rows in this plan, in order of first use."""
        return tuple(dict.fromkeys(job.backend for job in self.jobs))
