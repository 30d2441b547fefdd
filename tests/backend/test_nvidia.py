"""NVIDIA GPUs as the system sees them, with an `nvidia-smi` that answers as a test wants."""

import os

import pytest

from manyseeds.backend.nvidia import free_memory


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """Put an `nvidia-smi` on the path that runs a line of shell."""

    def place(line):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{line}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return place


def test_the_first_gpus_free_memory_is_in_bytes(smi):
    smi("echo 70000; echo 12")
    assert free_memory("cuda") == free_memory("auto") == 70000 * 2**20


def test_a_cpu_has_none_though_a_gpu_is_there(smi):
    smi("echo 70000")
    assert free_memory("cpu") is None


@pytest.mark.parametrize("line", ["exit 9", "true"])
def test_without_an_answer_there_is_none(smi, line):
    smi(line)
    assert free_memory("cuda") is None


def test_without_the_tool_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert free_memory("cuda") is None
