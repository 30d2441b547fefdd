"""Checkpoints: states after shared phases, on disk for the other recipes of the run.

A checkpoint is an .npz of plain arrays without pickle, named after its phases and seeds.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from manyseeds.execution.diagnostics import Diagnosis
from manyseeds.execution.state import EpochCurves, Seconds, State
from manyseeds.ledger.atomic_write import write_atomically


def save_state(path: Path, state: State) -> None:
    """Write a state to disk."""
    facts = {
        "phases": state.phases,
        "epochs_on_task": dict(state.epochs_on_task),
        "steps_of_network": dict(state.steps_of_network),
        "diverged": state.diverged,
        "seconds": asdict(state.seconds),
        "curves": [[curve.phase, curve.epoch] for curve in state.curves],
        "diagnoses": [[d.phase, d.epoch, d.step, d.layer, d.quantity] for d in state.diagnoses],
    }
    arrays: dict[str, Any] = {"facts": np.array(json.dumps(facts)), "best_epoch": state.best_epoch}
    arrays |= {f"weights/{name}": values for name, values in state.weights.items()}
    arrays |= {f"source/{name}": values for name, values in state.source.items()}
    for index, curve in enumerate(state.curves):
        arrays |= {f"curve/{index}/{name}": values for name, values in curve.values.items()}
    if state.diagnoses:
        arrays["diagnoses"] = np.stack([diagnosis.values for diagnosis in state.diagnoses])
    content = BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    write_atomically(path, content.getvalue())


def load_state(path: Path) -> State | None:
    """Read a state back, the same bit for bit; None if it is absent or damaged.

    A checkpoint saves work and holds no result: phases that cannot be read are trained again.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, EOFError, ValueError, BadZipFile):
        return None
    facts = json.loads(str(arrays["facts"]))
    curves = tuple(
        EpochCurves(phase, epoch, _under(arrays, f"curve/{index}/"))
        for index, (phase, epoch) in enumerate(facts["curves"])
    )
    return State(
        phases=facts["phases"],
        weights=_under(arrays, "weights/"),
        source=_under(arrays, "source/"),
        epochs_on_task=facts["epochs_on_task"],
        steps_of_network=facts["steps_of_network"],
        curves=curves,
        diagnoses=tuple(
            Diagnosis(phase, epoch, step, layer, quantity, values)
            for (phase, epoch, step, layer, quantity), values in zip(
                facts["diagnoses"], arrays.get("diagnoses", ()), strict=True
            )
        ),
        diverged=tuple(facts["diverged"]),
        best_epoch=arrays["best_epoch"],
        seconds=Seconds(**facts["seconds"]),
    )


def _under(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): values
        for name, values in arrays.items()
        if name.startswith(prefix)
    }
