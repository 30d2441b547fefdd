"""Early stopping: the rule that ends a lane's training and picks its final weights."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from manyseeds.techniques.technique import Technique


class EarlyStopping(Technique):
    """A lane stops once its validation loss has not improved for `patience` epochs.

    With `restore_best` the lane ends with the weights of its best epoch. Only validation data are
    looked at.
    """

    kind: ClassVar[str] = "regularisation"
    source: ClassVar[str] = "Prechelt 1998; Géron 2019, ch. 4"
    name: Literal["early_stopping"] = "early_stopping"
    patience: int = Field(ge=1)
    restore_best: bool = True
