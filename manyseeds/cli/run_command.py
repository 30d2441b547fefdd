"""`manyseeds run`: train suites, or continue a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyseeds.cli.options import (
    AsJson,
    Backends,
    Device,
    DeviceName,
    PrecisionName,
    Quick,
    Recipes,
    Results,
    takes,
)
from manyseeds.cli.printing import finish

if TYPE_CHECKING:  # imported when a run begins, so that --help is quick
    from manyseeds.execution.request import Options, TrainingRequest


@dataclass(frozen=True)
class RunOptions:
    """The options of `manyseeds run`."""

    suites: Annotated[
        list[str] | None, typer.Argument(help="Suites by name, or TOML files.", metavar="SUITE...")
    ] = None
    everything: Annotated[bool, typer.Option("--all", help="All bundled suites.")] = False
    quick: Quick = False
    seeds: Annotated[int | None, typer.Option(help="How many seeds, counted from 0.")] = None
    backend: Backends = None
    device: Device = DeviceName.cpu
    recipe: Recipes = None
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", help="The seed drives only this stream; may be repeated."),
    ] = None
    lanes: Annotated[int | None, typer.Option(help="Seeds trained together as a cohort.")] = None
    solo: Annotated[int | None, typer.Option(help="Seeds also trained alone, for timing.")] = None
    precision: Annotated[PrecisionName, typer.Option(help="Precision of training.")] = (
        PrecisionName.float32
    )
    deterministic: Annotated[
        bool, typer.Option(help="Use only algorithms that repeat bit for bit.")
    ] = True
    tf32: Annotated[bool, typer.Option(help="Let an NVIDIA GPU round to TF32.")] = False
    threads: Annotated[
        int | None,
        typer.Option(help="CPU threads of each backend; its share of the cores if left out."),
    ] = None
    beside: Annotated[
        int, typer.Option(help="Backends that train at once, each on its share of the cores.")
    ] = 1
    memory: Annotated[
        float | None, typer.Option(help="GiB a cohort may use; 70 % of what is free if left out.")
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option(help="Seconds without an epoch after which a job is abandoned."),
    ] = None
    results: Results = Path("results")
    resume: Annotated[
        str | None, typer.Option("--resume", help="Continue this run.", metavar="RUN")
    ] = None
    other_versions: Annotated[
        bool,
        typer.Option(
            "--other-versions", help="Continue it also under other versions of its frameworks."
        ),
    ] = False
    as_json: AsJson = False

    def request(self) -> TrainingRequest:
        """Return the request for a training."""
        from manyseeds.execution.request import TrainingRequest

        return TrainingRequest(
            suites=tuple(self.suites or ()),
            everything=self.everything,
            quick=self.quick,
            results=self.results,
            resume=self.resume,
            other_versions=self.other_versions,
            timeout=self.timeout,
            options=self._options(),
        )

    def _options(self) -> Options:
        from manyseeds.execution.request import Options

        return Options(
            seeds=self.seeds,
            lanes=self.lanes,
            solo=self.solo,
            backends=tuple(self.backend or ()),
            recipes=tuple(self.recipe or ()),
            vary=tuple(self.vary or ()),  # type: ignore[arg-type]  # checked by Options
            device=self.device.value,
            precision=self.precision.value,
            deterministic=self.deterministic,
            tf32=self.tf32,
            threads=self.threads,
            beside=self.beside,
            memory=self._memory_bytes(),
        )

    def _memory_bytes(self) -> int | None:
        from manyseeds.errors import RequestError

        if self.memory is None:
            return None
        size = self.memory * 2**30
        if not 1 <= size < math.inf:  # also refuses what is not a number
            raise RequestError(
                f"--memory {self.memory:g}: expected the GiB that a cohort may use, more than 0"
            )
        return int(size)


@takes(RunOptions)
def run(options: RunOptions) -> None:
    """Train suites from many seeds and record every outcome."""
    from manyseeds.cli.delivered import delivered_table
    from manyseeds.execution.train import train
    from manyseeds.presentation.run_display import TerminalDisplay

    finish(delivered_table(train(options.request(), TerminalDisplay())), options.as_json)
