"""Monte Carlo dropout: prediction with dropout on, averaged over samples."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from manyseeds.model.limits import MOST_SAMPLES
from manyseeds.techniques.technique import Technique, by_name


class McDropout(Technique):
    """Prediction with dropout on: probabilities are the mean over `samples` forward passes.

    Batch normalisation uses its moving averages. The score stands beside that of the plain
    prediction by the same weights. Sample s of the test rows 1000 b to 1000 b + 999 uses step
    s ceil(n / 1000) + b of the noise "mc" (`manyseeds.techniques.network_streams.noise_keys`).
    """

    kind: ClassVar[str] = "regularisation"
    source: ClassVar[str] = "Gal and Ghahramani 2016; Géron 2019, ch. 11"
    name: Literal["mc_dropout"] = "mc_dropout"
    samples: int = Field(default=100, ge=1, le=MOST_SAMPLES)


class McAlphaDropout(McDropout):
    """The same as mc_dropout, for networks with alpha dropout."""

    source: ClassVar[str] = "Gal and Ghahramani 2016; Klambauer et al. 2017; Géron 2019, ch. 11"
    name: Literal["mc_alpha_dropout"] = "mc_alpha_dropout"  # type: ignore[assignment]


MonteCarlo = Annotated[
    Annotated[McDropout | McAlphaDropout, Field(discriminator="name")], BeforeValidator(by_name)
]
