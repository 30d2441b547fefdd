"""Names of traced functions that are the same in every process.

TensorFlow numbers the functions it traces over the whole process, and XLA finds a kept program by
these names among others: traced in another order, nothing would ever be found again.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from unittest import mock

from tensorflow.python.framework import ops

_LOCK = threading.RLock()
_TRACED: Counter[Hashable] = Counter()
_FUNCTIONS = 1 << 16
"""Numbers that a program has for itself."""


@contextmanager
def named_after(program: Hashable) -> Iterator[None]:
    """Number the functions that are traced meanwhile from a number that the program alone has.

    TensorFlow has no public way to say so. A release that numbers them in another way keeps what it
    compiles under other names: it compiles anew, and computes the same.

    Parameters
    ----------
    program
        What distinguishes it, with a `repr` that is the same in every process.
    """
    with _LOCK:
        # Another backend of this process may have it, too: the names of one process must differ.
        _TRACED[program] += 1
        digest = hashlib.sha256(repr((program, _TRACED[program])).encode()).digest()
        first = int.from_bytes(digest[:5], "big") * _FUNCTIONS
        numbers = itertools.count(first)
        with mock.patch.object(ops, "uid", numbers.__next__, create=True):
            yield
