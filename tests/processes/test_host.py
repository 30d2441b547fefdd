"""The machine: how much memory a process has taken."""

import subprocess
import sys

import numpy as np
import psutil
import pytest

from manyseeds.processes import host
from manyseeds.processes.host import (
    cores,
    forget_peak_memory,
    free_memory,
    idle_cores,
    mapped_files,
    peak_memory,
)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone forgets a peak")
def test_a_peak_counts_until_it_is_forgotten():
    forget_peak_memory()
    before = peak_memory()
    taken = bytearray(200 * 2**20)
    del taken
    assert peak_memory() - before > 150 * 2**20
    forget_peak_memory()
    assert peak_memory() - before < 50 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone hands a peak down")
def test_a_process_does_not_count_the_peak_of_its_parent():
    """`getrusage` says 500 MiB in a small child of a process that holds 500 MiB."""
    held = np.ones(500 * 2**20, np.uint8)
    program = "from manyseeds.processes.host import peak_memory; print(peak_memory())"
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert 0 < int(child.stdout) < 200 * 2**20
    assert held[-1] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells it in /proc")
def test_mapped_files_are_told_apart_from_own_memory(tmp_path):
    """A file of 32 MiB that is mapped and read counts; as much memory of one's own does not."""
    file = tmp_path / "mapped"
    file.write_bytes(bytes(32 << 20))
    before = mapped_files()
    own = np.ones(4 << 20)
    assert abs(mapped_files() - before) < 8 << 20
    mapped = np.memmap(file, np.uint8, "r")
    assert mapped.sum() == 0
    assert mapped_files() - before > 24 << 20
    assert own.sum() == 4 << 20


@pytest.mark.parametrize(
    ("share", "expected"), [(None, 4), (0.5, 1), (1.0, 1), (1.5, 2), (4.0, 4), (64.0, 4)]
)
def test_a_container_s_share_of_the_cores_counts(monkeypatch, share, expected):
    monkeypatch.setattr(host.os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(host, "cpu_limit", lambda: share)
    monkeypatch.setattr(psutil, "cpu_percent", lambda *_, **__: [0.0] * 8)
    assert cores() == idle_cores(0) == expected


def test_free_memory_is_what_the_machine_and_the_container_both_allow(monkeypatch):
    class Machine:
        available = 1000

    monkeypatch.setattr(psutil, "virtual_memory", Machine)
    for left, expected in ((None, 1000), (2000, 1000), (10, 10), (0, 0)):
        monkeypatch.setattr(host, "memory_left", lambda left=left: left)
        assert free_memory() == expected
