"""The JSON documents of a run, plan.json and provenance.json, checked as they are read.

Both may come from somebody else. A document has a largest size, so that no memory is taken for
nonsense; every field has a type; and no name in a plan leads out of the run's folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from manyseeds.errors import unknown
from manyseeds.ledger.files import DamageError, read_file
from manyseeds.ledger.plan import Plan
from manyseeds.model import digest_text
from manyseeds.model.limits import MOST_ROWS
from manyseeds.randomness.streams import STREAMS

MOST_PLAN_BYTES = 64 * 2**20
MOST_PROVENANCE_BYTES = 16 * 2**20
"""The largest documents that are written or read."""

_LARGEST_SEED = 2**63 - 1
_LONGEST_NAME = 200

_REMEDY = "Restore it from version control or a backup."

_T = TypeVar("_T")


class _Lenient(BaseModel):
    """A part of a session: the fields that are read have a type, others may be anything."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Environment(_Lenient):
    versions: dict[str, str] = {}
    device: str | None = None
    device_name: str | None = None
    threads: int | None = None
    switches: dict[str, Any] = {}


class _Session(_Lenient):
    started: str | None = None
    command: list[str] = []
    python: str | None = None
    platform: str | None = None
    processor: str | None = None
    versions: dict[str, str] = {}
    commit: str | None = None
    dirty: bool | None = None
    datasets: dict[str, dict[str, str]] = {}
    backends: dict[str, _Environment] = {}


_SESSIONS = TypeAdapter(list[_Session])


def read_plan(path: Path) -> Plan:
    """Return the plan in a file.

    Raises
    ------
    DamageError
        The plan is damaged or cannot be read; the message names the field.
    FileNotFoundError
        There is no such file.
    """
    plan: Plan = _checked(path, MOST_PLAN_BYTES, Plan.model_validate_json)
    for problem in plan_problems(plan):
        raise DamageError(path, f"is damaged at {problem}. {_REMEDY}")
    return plan


def read_sessions(path: Path) -> list[dict[str, Any]]:
    """Return the sessions in a file; none if there is no such file.

    Raises
    ------
    DamageError
        The file is damaged or cannot be read; the message names the field.
    """

    def parse(content: bytes) -> list[dict[str, Any]]:
        _SESSIONS.validate_json(content)
        sessions: list[dict[str, Any]] = json.loads(content)
        return sessions

    try:
        return _checked(path, MOST_PROVENANCE_BYTES, parse)
    except FileNotFoundError:
        return []


def plan_problems(plan: Plan) -> Iterator[str]:
    """Yield what is wrong with a plan beyond the types of its fields: the field and the problem."""
    yield from _unsafe("run", plan.run)
    if digest_text(plan.suite_text) != plan.suite_sha256:
        yield (
            f"suite_text: its SHA-256 is {digest_text(plan.suite_text)[:12]}…, and suite_sha256 is "
            f"{plan.suite_sha256[:12]}…: one of them has been changed since the run was planned"
        )
    if (count := sum(len(job.seeds) for job in plan.jobs)) > MOST_ROWS:
        yield f"jobs: {count:,} rows, and a plan has {MOST_ROWS:,} at most"
        return
    for name, least in (("threads", 1), ("beside", 1)):
        value = getattr(plan, name)
        if value is not None and value < least:
            yield f"{name}: {value}: expected at least {least}"
    yield from _job_problems(plan)


def _job_problems(plan: Plan) -> Iterator[str]:
    promised: dict[tuple[str, ...], set[int]] = {}
    for number, job in enumerate(plan.jobs):
        key = f"jobs[{number}]"
        if job.id != number:
            yield f"{key}.id: {job.id}: expected {number}, the job's place in the plan"
        yield from _unsafe(f"{key}.backend", job.backend)
        for stream in job.varied:
            if stream not in STREAMS:
                yield f"{key}.vary: {unknown('stream', stream, STREAMS)}"
        if not all(0 <= seed <= _LARGEST_SEED for seed in job.seeds):
            yield f"{key}.seeds: expected numbers from 0 to {_LARGEST_SEED}"
        seeds = promised.setdefault((job.recipe, job.case, job.backend, job.mode, job.vary), set())
        before = len(seeds)
        seeds.update(job.seeds)
        if len(seeds) < before + len(job.seeds):
            yield f"{key}.seeds: a row that is promised twice"


def _unsafe(key: str, name: str) -> Iterator[str]:
    """Yield a problem with a name that a file or folder gets."""
    plain = name.isprintable() and not {"/", "\\", ":"} & set(name) and name.strip(". ") != ""
    if not plain or len(name) > _LONGEST_NAME:
        yield (
            f"{key}: {name[:_LONGEST_NAME]!r}: files are named after it, so it must be the name of "
            "a file, without folders"
        )


def _checked(path: Path, most: int, parse: Callable[[bytes], _T]) -> _T:
    content = read_file(path, most)
    try:
        return parse(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "its beginning"
        raise DamageError(path, f"is damaged at {place}: {first['msg']}. {_REMEDY}") from None
    except (ValueError, RecursionError) as error:
        raise DamageError(path, f"is damaged: {error}. {_REMEDY}") from None
