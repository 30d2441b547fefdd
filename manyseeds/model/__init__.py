"""Frozen, validated data, and what may be in it: names, texts, sizes, and the TOML it comes from.

Belongs here: the base class of every technique, recipe and suite, and rules that hold for values
of every kind. Not here: any definition; those are in `techniques` and `suite`.
"""

from __future__ import annotations

from manyseeds.model.frozen_data import Model, digest, digest_text, frozen

__all__ = ["Model", "digest", "digest_text", "frozen"]
