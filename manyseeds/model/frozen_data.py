"""Frozen, validated data: the base of every technique, recipe and suite.

A model refuses unknown keys and wrong types, compares and hashes by value, and has a
fingerprint (SHA-256 of its canonical JSON) that identifies it in plans and ledgers.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen pydantic model that forbids unknown keys and never converts types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def fingerprint(self) -> str:
        """Return the SHA-256 of this value's canonical JSON, 64 hexadecimal digits."""
        return digest(self.model_dump(mode="json"))


def frozen(value: Any) -> Any:
    """Return a value of TOML or JSON with every list, at any depth, as the tuple models expect.

    >>> frozen({"hidden": [300, [100, 2]]})
    {'hidden': (300, (100, 2))}
    """
    if isinstance(value, list | tuple):
        return tuple(frozen(item) for item in value)
    if isinstance(value, dict):
        return {key: frozen(item) for key, item in value.items()}
    return value


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON-like value's canonical text, 64 hexadecimal digits.

    The order of keys does not matter:

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return digest_text(json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False))


def digest_text(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()
