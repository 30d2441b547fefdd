"""Compiles loops over arrays with Numba, for the CPU.

They do in one pass over memory what PyTorch's operations would do in many. Importing this module
neither compiles nor configures anything.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numba

from manyseeds_pytorch import noise_native, noise_threefry, penalties_native
from manyseeds_pytorch.noise_native import NoiseLoops

Loop = Callable[..., None]


@dataclass(frozen=True)
class NativeLoops:
    """Compiled loops; they run without Python's lock.

    Attributes
    ----------
    noise
        Draws noise.
    add_penalty
        `penalties_native.add_penalty`.
    """

    noise: NoiseLoops
    add_penalty: Loop


def compile_loops(folder: Path | None) -> NativeLoops:
    """Compile the loops, or load them from an earlier process.

    Machine code that cannot be read, such as a file cut short, is made anew.

    Parameters
    ----------
    folder
        The folder that keeps the machine code for later processes; None to keep none.
    """
    if folder is None:
        return _loops(cache=False)
    numba.config.CACHE_DIR = str(folder)
    try:
        return _loops(cache=True)
    except Exception:  # of any kind: a file cut short is read as a pickle
        print(f"machine code in {folder} cannot be read, and is made anew", file=sys.stderr)
        traceback.print_exc()
    try:
        for index in folder.rglob("*.nbi"):
            index.unlink(missing_ok=True)
        return _loops(cache=True)
    except Exception:  # the folder takes no files: its disk is full
        traceback.print_exc()
        return _loops(cache=False)


def _loops(*, cache: bool) -> NativeLoops:
    compile_loop = partial(_compile, cache=cache)
    noise = NoiseLoops(
        draw=compile_loop(noise_threefry.draw_words, [noise_threefry.DRAW_WORDS]),
        keep=compile_loop(noise_threefry.keep_halves, [noise_threefry.KEEP_HALVES]),
        transpose=compile_loop(noise_native.transpose_bytes, [noise_native.TRANSPOSE_BYTES]),
    )
    # The sums of a penalty may be taken in the order of the vector registers.
    add_penalty = compile_loop(
        penalties_native.add_penalty, penalties_native.ADD_PENALTY, fastmath={"reassoc"}
    )
    return NativeLoops(noise, add_penalty)


def _compile(loop: Loop, signatures: Sequence[str], **options: Any) -> Loop:
    compiled: Loop = numba.njit(list(signatures), nogil=True, **options)(loop)
    return compiled
