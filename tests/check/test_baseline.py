"""The baseline returns what was accepted, reports damage, and survives an interruption."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyseeds.check import baseline as module
from manyseeds.check.baseline import Baseline, BaselineEntry
from manyseeds.check.rows import Row
from manyseeds.errors import RequestError, RunError

NADAM = Row("numerics", "jax", "nadam")


def entry(value=1.0, subject="nadam", version="1"):
    context = {"versions": {"jax": version}, "device": "cpu"}
    return BaselineEntry(Row("numerics", "jax", subject), context, {"loss": np.full((2, 3), value)})


def files(folder):
    return sorted(path.name for path in folder.rglob("*.zip"))


def test_an_entry_comes_back_as_it_was(tmp_path):
    Baseline(tmp_path).accept([entry(0.1)], "the first")
    found = Baseline(tmp_path).entry(NADAM)
    assert found.context == entry().context
    np.testing.assert_array_equal(found.arrays["loss"], np.full((2, 3), 0.1))
    assert Baseline(tmp_path).entry(Row("numerics", "jax", "adam")) is None
    assert Baseline(tmp_path).rows("numerics", "jax") == [NADAM]
    assert Baseline(tmp_path).rows("time") == []


def test_an_acceptance_replaces_and_logs_why_and_from_which_versions(tmp_path):
    Baseline(tmp_path).accept([entry(1.0, version="1")], "the first")
    Baseline(tmp_path).accept([entry(2.0, version="2")], "Nadam's schedule was mended")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["because"] for line in lines] == ["the first", "Nadam's schedule was mended"]
    assert lines[0]["changes"] == [{"row": "numerics/jax/nadam", "from": None, "to": {"jax": "1"}}]
    assert lines[1]["changes"][0]["from"] == {"jax": "1"}
    assert len(files(tmp_path)) == 1  # the old one is gone
    assert Baseline(tmp_path).entry(NADAM).arrays["loss"][0, 0] == 2


def test_nothing_is_accepted_without_a_reason(tmp_path):
    with pytest.raises(RequestError, match="--because"):
        Baseline(tmp_path).accept([entry()], "  ")
    assert not files(tmp_path)


@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_damaged_entry_is_reported_with_its_file(tmp_path, harm):
    Baseline(tmp_path).accept([entry()], "the first")
    (path,) = tmp_path.rglob("*.zip")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    {
        "flip": lambda: path.write_bytes(content),
        "cut": lambda: path.write_bytes(content[:20]),
        "remove": path.unlink,
    }[harm]()
    with pytest.raises(RunError, match=f"{path.name}.*manyseeds baseline --accept"):
        Baseline(tmp_path).entry(NADAM)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"entries": {"weather/jax/nadam": "0"}}'])
def test_a_damaged_index_is_reported_with_its_file(tmp_path, text):
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(RunError, match=r"index\.json"):
        Baseline(tmp_path)


def test_an_interrupted_acceptance_leaves_the_old_baseline(tmp_path, monkeypatch):
    Baseline(tmp_path).accept([entry(1.0)], "the first")
    real = module.write_atomically

    def full(path, content):
        if path.name == "index.json":
            raise OSError(28, "No space left on device")
        real(path, content)

    monkeypatch.setattr(module, "write_atomically", full)
    with pytest.raises(RunError, match="No space left"):
        Baseline(tmp_path).accept([entry(2.0)], "the second")
    assert Baseline(tmp_path).entry(NADAM).arrays["loss"][0, 0] == 1


def test_the_entries_of_a_layer_and_backend_share_a_file_and_are_replaced_one_by_one(tmp_path):
    names = ("adam", "nadam", "sgd")
    Baseline(tmp_path).accept([entry(n, name) for n, name in enumerate(names)], "the first")
    assert len(files(tmp_path)) == 1
    sgd = Row("numerics", "jax", "sgd")
    Baseline(tmp_path).accept([entry(7.0)], "the second", dropped=[sgd])
    assert len(files(tmp_path)) == 1
    found = Baseline(tmp_path)
    assert found.rows("numerics") == [Row("numerics", "jax", "adam"), NADAM]
    assert found.entry(Row("numerics", "jax", "adam")).arrays["loss"][0, 0] == 0
    assert found.entry(NADAM).arrays["loss"][0, 0] == 7
    assert found.entry(sgd) is None


def test_the_same_entries_give_the_same_file(tmp_path):
    for name in ("a", "b"):
        Baseline(tmp_path / name).accept([entry(), entry(subject="adam")], "the first")
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_accepting_beside_a_damaged_entry_is_refused_and_replacing_it_mends_it(tmp_path):
    Baseline(tmp_path).accept([entry(), entry(subject="adam")], "the first")
    (path,) = tmp_path.rglob("*.zip")
    content = bytearray(path.read_bytes())
    place = content.index(b"nadam.npz") + 60
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunError, match="numerics/jax/nadam"):
        Baseline(tmp_path).accept([entry(subject="adam")], "the second")
    assert json.loads((tmp_path / "index.json").read_text())["archives"]
    Baseline(tmp_path).accept([entry(3.0)], "mended")
    assert Baseline(tmp_path).entry(NADAM).arrays["loss"][0, 0] == 3


def test_an_index_that_leads_out_of_the_folder_is_refused(tmp_path):
    Baseline(tmp_path / "in").accept([entry()], "the first")
    index = tmp_path / "in" / "index.json"
    document = json.loads(index.read_text())
    document["archives"]["numerics/jax"] = "../elsewhere.zip"
    index.write_text(json.dumps(document))
    with pytest.raises(RunError, match="leads out of the folder"):
        Baseline(tmp_path / "in")


@settings(deadline=None)
@given(subject=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_no_name_leads_out_of_the_folder(tmp_path_factory, subject):
    folder = tmp_path_factory.mktemp("baseline")
    Baseline(folder / "in").accept([entry(subject=subject)], "names")
    assert Baseline(folder / "in").entry(Row("numerics", "jax", subject)) is not None
    assert list(folder.rglob("*.zip")) == [*(folder / "in").rglob("*.zip")]
