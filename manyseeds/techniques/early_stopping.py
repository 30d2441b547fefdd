"""Early stopping by name: when a lane stops, and which weights it ends with."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from manyseeds.techniques.technique import Technique


class EarlyStopping(Technique):
    """Stop a lane when its validation loss has not improved for `patience` epochs.

    With `restore_best` the lane ends with the weights of its best epoch. Selection sees
    validation data only.
    """

    kind: ClassVar[str] = "regularisation"
    source: ClassVar[str] = "Prechelt 1998; Géron 2019, ch. 4"
    name: Literal["early_stopping"] = "early_stopping"
    patience: int = Field(ge=1)
    restore_best: bool = True
