"""NVIDIA GPUs as the system sees them, with an `nvidia-smi` that answers as a test wants.

The answers have the form of `nvidia-smi -q -x` and `nvidia-smi -L`, with the parts that are read.
"""

import os

import pytest

from manyseeds.backend.nvidia import free_memory

MIB = 2**20
A, B = "GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77", "GPU-b8ea3855-276c-c9cb-b366-c6fa655957c5"
FIRST, SECOND = (
    "MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f",
    "MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb",
)


def memory(free):
    return f"<fb_memory_usage><total>81559 MiB</total><free>{free}</free></fb_memory_usage>"


def gpu(uuid, free="70000 MiB", product="NVIDIA H100", instances=()):
    mode = "Enabled" if instances else "N/A"
    parts = "".join(f"<mig_device>{memory(part)}</mig_device>" for part in instances) or "None"
    return (
        f"<gpu><product_name>{product}</product_name>"
        f"<mig_mode><current_mig>{mode}</current_mig></mig_mode>"
        f"<mig_devices>{parts}</mig_devices><uuid>{uuid}</uuid>{memory(free)}</gpu>"
    )


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """Put an `nvidia-smi` on the path that knows these GPUs, or runs a line of shell."""
    for variable in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(variable, raising=False)

    def place(*gpus, line="", listing=""):
        (tmp_path / "log.xml").write_text(f"<nvidia_smi_log>{''.join(gpus)}</nvidia_smi_log>")
        (tmp_path / "listing").write_text(listing)
        answer = f'if [ "$1" = -L ]; then cat {tmp_path}/listing; else cat {tmp_path}/log.xml; fi'
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{line or answer}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return place


def test_the_first_gpu_s_free_memory_is_in_bytes(smi):
    smi(gpu(A, "70000 MiB"), gpu(B, "12 MiB"))
    assert free_memory("cuda") == free_memory("auto") == 70000 * MIB


def test_a_cpu_has_none_though_a_gpu_is_there(smi):
    smi(gpu(A))
    assert free_memory("cpu") is None


@pytest.mark.parametrize("line", ["exit 9", "true", "echo No devices were found", "echo '<a>'"])
def test_without_an_answer_there_is_none(smi, line):
    smi(line=line)
    assert free_memory("cuda") is None


def test_without_the_tool_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert free_memory("cuda") is None


@pytest.mark.parametrize("free", ["N/A", "[N/A]", "[Not Supported]", "[Unknown Error]", ""])
def test_a_gpu_that_does_not_say_has_none(smi, free):
    smi(gpu(A, free))
    assert free_memory("cuda") is None


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("1", 12),
        ("1,0", 12),
        (" 0 ,1", 70000),
        (B, 12),
        (B[:8], 12),
        (f"{B},{A}", 12),
        ("", None),
        ("-1", None),
        ("2", None),
        ("NoDevFiles", None),
    ],
)
def test_the_memory_is_that_of_the_first_gpu_that_may_be_seen(smi, monkeypatch, visible, expected):
    smi(gpu(A, "70000 MiB"), gpu(B, "12 MiB"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert free_memory("cuda") == (None if expected is None else expected * MIB)


def test_numbers_of_different_gpus_are_sure_only_in_the_order_of_the_bus(smi, monkeypatch):
    smi(gpu(A, "9000 MiB", "NVIDIA T4"), gpu(B, "70000 MiB"))
    # CUDA calls the H100 number 0, because it is faster: as good as unknown, so the least counts.
    assert free_memory("cuda") == 9000 * MIB
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert free_memory("cuda") == 9000 * MIB
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert free_memory("cuda") == 70000 * MIB


DIVIDED = f"""GPU 0: NVIDIA H100 (UUID: {A})
GPU 1: NVIDIA H100 (UUID: {B})
  MIG 1g.5gb      Device  0: (UUID: {FIRST})
  MIG 2g.10gb     Device  1: (UUID: {SECOND})
"""


@pytest.mark.parametrize(
    ("visible", "expected"), [("0", 70000), (FIRST, 4851), (SECOND, 9728), ("1", 4851)]
)
def test_an_instance_of_a_divided_gpu_has_its_own_memory(smi, monkeypatch, visible, expected):
    divided = gpu(B, "81000 MiB", instances=["4851 MiB", "9728 MiB"])
    smi(gpu(A), divided, listing=DIVIDED)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert free_memory("cuda") == expected * MIB
