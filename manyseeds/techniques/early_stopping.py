"""Early stopping: the rule that ends a lane's training and picks its final weights."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from manyseeds.techniques.technique import Technique


class EarlyStopping(Technique):
    """A lane stops once its validation loss has not improved for `patience` epochs.

    With `restore_best` the lane ends with the weights of its best epoch, also if its loss is no
    longer finite later: it is then ok, as a network from Keras's callbacks `EarlyStopping` and
    `TerminateOnNaN` would be. Without, or in the first epoch, it has diverged. Only validation data
    are looked at.
    """

    kind: ClassVar[str] = "regularisation"
    source: ClassVar[str] = "Prechelt 1998; Géron 2019, ch. 4"
    name: Literal["early_stopping"] = "early_stopping"
    patience: int = Field(ge=1)
    restore_best: bool = True
