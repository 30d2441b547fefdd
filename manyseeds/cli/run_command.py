"""`manyseeds run`: train suites, or continue a run."""

from __future__ import annotations

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
            memory=None if self.memory is None else int(self.memory * 2**30),
        )


@takes(RunOptions)
def run(options: RunOptions) -> None:
    """Train suites from many seeds and record every outcome."""
    from manyseeds.cli.delivered import delivered_table
    from manyseeds.execution.train import train
    from manyseeds.presentation.run_display import TerminalDisplay

    finish(delivered_table(train(options.request(), TerminalDisplay())), options.as_json)
