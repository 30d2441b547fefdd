"""Splits of tasks: rows, classes, labels and scaling as the protocol says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyseeds.datasets import (
    DATASETS,
    Dataset,
    RawDataset,
    RawSplit,
    TaskData,
    catalogue,
    dataset,
    scaling,
    task_splits,
)
from manyseeds.datasets.files import DEBIAN
from manyseeds.errors import RequestError
from manyseeds.suite.recipe import Task

full = pytest.mark.skipif(
    not (DEBIAN / "fashion-mnist").is_dir(),
    reason="the full Fashion-MNIST is not here: apt-get install dataset-fashion-mnist",
)
SCALE = 8.0


def made(labels, test_labels, classes, kind=np.uint8, loads=None):
    """Return a data set whose first feature is the row's number and whose second is constant."""

    def split(labels, start):
        rows = np.arange(start, start + len(labels))
        inputs = np.stack([rows, np.full(len(labels), 3), rows % 5], axis=1).astype(kind)
        return RawSplit(inputs, np.array(labels, np.uint8))

    def load():
        if loads is not None:
            loads.append(1)
        return RawDataset(split(labels, 0), split(test_labels, 100))

    return Dataset(
        name="made",
        title="",
        source="",
        licence="",
        how_to_obtain="embedded",
        train=len(labels),
        test=len(test_labels),
        features=3,
        classes=tuple(map(str, range(classes))),
        scale=SCALE,
        sha256={"all": "0"},
        load=load,
    )


class Using:
    """Put one data set into the catalogue for a while (hypothesis forbids fixtures per example)."""

    def __init__(self, entry):
        self.patch = pytest.MonkeyPatch()
        self.entry = entry

    def __enter__(self):
        self.patch.setattr(catalogue, "DATASETS", {self.entry.name: self.entry})

    def __exit__(self, *_):
        self.patch.undo()


def task(**keys):
    return Task(**{"name": "A", "dataset": "made", "valid": 1, **keys})


@st.composite
def data_sets_with_tasks(draw):
    """Draw a made data set and a valid task on it."""
    classes = draw(st.integers(2, 5))
    label = st.integers(0, classes - 1)
    # At least one of each class in the validation part, the rest and the test part.
    one_each = list(range(classes))
    head = draw(st.permutations(one_each + draw(st.lists(label, max_size=10))))
    tail = draw(st.permutations(one_each + draw(st.lists(label, max_size=20))))
    test = draw(st.permutations(one_each + draw(st.lists(label, max_size=10))))
    chosen = draw(st.lists(label, min_size=2, max_size=classes, unique=True))
    kind = draw(st.sampled_from([np.uint8, np.float64]))
    return made(head + tail, test, classes, kind), task(valid=len(head), classes=tuple(chosen))


@given(data_sets_with_tasks())
@settings(deadline=None)
def test_splits_hold_exactly_the_rows_of_their_classes_in_file_order(drawn):
    entry, choice = drawn
    raw = entry.load()
    with Using(entry):
        data = task_splits(choice.model_copy(update={"scaling": "raw"}), "float64")
    for split, source, start, stop in (
        (data.valid, raw.train, 0, choice.valid),
        (data.train, raw.train, choice.valid, len(raw.train)),
        (data.test, raw.test, 0, len(raw.test)),
    ):
        rows = [r for r in range(start, stop) if source.labels[r] in choice.classes]
        np.testing.assert_array_equal(split.inputs, source.inputs[rows])
        assert [choice.classes[new] for new in split.labels] == source.labels[rows].tolist()
        assert split.labels.dtype == np.int32
        assert split.inputs.dtype == np.float64
        assert split.inputs.flags.c_contiguous


@given(data_sets_with_tasks(), st.sampled_from(["unit", "standardised", "raw"]))
@settings(deadline=None)
def test_float32_is_float64_rounded_once(drawn, scaling):
    entry, choice = drawn
    choice = choice.model_copy(update={"scaling": scaling})
    with Using(entry):
        single, double = task_splits(choice, "float32"), task_splits(choice, "float64")
    for name in ("train", "valid", "test"):
        narrow, wide = getattr(single, name), getattr(double, name)
        assert narrow.inputs.dtype == np.float32
        np.testing.assert_array_equal(narrow.inputs, wide.inputs.astype(np.float32))
        np.testing.assert_array_equal(narrow.labels, wide.labels)


@given(data_sets_with_tasks(), st.integers(1, 7))
@settings(deadline=None)
def test_standardising_is_numpys_mean_and_sd_of_the_training_rows(drawn, block):
    entry, choice = drawn
    with Using(entry), pytest.MonkeyPatch.context() as patch:
        patch.setattr(scaling, "ROWS_AT_ONCE", block)
        raw = task_splits(choice.model_copy(update={"scaling": "raw"}), "float64")
        unit = task_splits(choice, "float64")
        data = task_splits(choice.model_copy(update={"scaling": "standardised"}), "float64")
    mean = (raw.train.inputs / SCALE).mean(axis=0)
    deviation = (raw.train.inputs / SCALE).std(axis=0)
    deviation[np.ptp(raw.train.inputs, axis=0) == 0] = 1
    for name in ("train", "valid", "test"):
        source = getattr(raw, name).inputs / SCALE
        np.testing.assert_array_equal(getattr(unit, name).inputs, source)
        np.testing.assert_allclose(
            getattr(data, name).inputs, (source - mean) / deviation, rtol=1e-9, atol=1e-12
        )


def test_a_constant_feature_is_divided_by_one_even_where_rounding_gives_it_a_deviation():
    inputs = np.full((1000, 1), 0.1)
    assert inputs.std(axis=0) != 0
    mean, deviation = scaling.moments(inputs, 1.0)
    np.testing.assert_allclose(mean, 0.1)
    assert deviation.tolist() == [1.0]


def test_mean_and_sd_are_those_of_all_training_rows_for_any_train():
    with Using(made([0, 1] * 10, [0, 1], 2)):
        some = task_splits(task(train=3, scaling="standardised"), "float64")
        every = task_splits(task(scaling="standardised"), "float64")
    assert len(some.train) == 19
    np.testing.assert_array_equal(some.train.inputs, every.train.inputs)
    assert some.key == every.key


def test_equal_data_have_equal_keys_and_different_data_different_keys():
    base = task(valid=4)
    with Using(made([0, 1, 2] * 5, [0, 1, 2], 3)):
        key = task_splits(base, "float32").key
        same = ({"name": "B"}, {"train": 2}, {"classes": (0, 1, 2)})
        other = (
            {"valid": 5},
            {"classes": (1, 0, 2)},
            {"classes": (0, 1)},
            {"scaling": "raw"},
            {"scaling": "standardised"},
        )
        for change in same:
            assert task_splits(base.model_copy(update=change), "float32").key == key
        keys = {task_splits(base.model_copy(update=change), "float32").key for change in other}
        keys |= {key, task_splits(base, "float64").key}
    assert len(keys) == len(other) + 2


def test_the_key_depends_on_the_content_and_the_scale_of_the_data_set():
    entry = made([0, 1] * 3, [0, 1], 2)
    with Using(entry):
        key = task_splits(task(), "float32").key
    for change in ({"sha256": {"all": "1"}}, {"scale": 2 * SCALE}):
        with Using(Dataset(**{**vars(entry), **change})):
            assert task_splits(task(), "float32").key != key


def test_tasks_on_one_data_set_load_it_once_and_cannot_change_it():
    loads = []
    entry, data = made([0, 1, 2] * 5, [0, 1, 2], 3, loads=loads), TaskData()
    with Using(entry):
        first = data.splits(task(classes=(0, 1), scaling="raw"), "float64")
        raw = data.raw(entry)
        assert not any(
            array.flags.writeable
            for split in (raw.train, raw.test, first.train, first.valid, first.test)
            for array in (split.inputs, split.labels)
        )
        assert data.splits(task(classes=(0, 1), scaling="raw", train=2), "float64") is first
        other = data.splits(task(classes=(1, 0), scaling="raw"), "float64")
        assert other.key != first.key
    assert len(loads) == 1


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"classes": (0, 3)}, r"'A': classes = \[0, 3\] names 3.*0 to 2"),
        ({"classes": (-1, 0)}, r"'A': classes = \[-1, 0\] names -1.*0 to 2"),
        ({"valid": 15}, r"'A': valid = 15 .*15 training rows"),
        ({"valid": 99}, r"'A': valid = 99 .*15 training rows"),
        ({"valid": 1, "classes": (1, 2)}, r"'A': valid = 1 .*validate on; write more"),
        ({"valid": 14, "classes": (0, 1)}, r"'A': valid = 14 .*train on; write less"),
        ({"train": 15}, r"'A': train = 15 .*14 rows available"),
        ({"train": 10, "classes": (0, 1)}, r"'A': train = 10 .*9 rows available"),
    ],
)
def test_an_invalid_task_is_refused_by_name_and_key(keys, message):
    with (
        Using(made([0, 1, 2] * 5, [0, 1, 2], 3)),
        pytest.raises(RequestError, match=message) as caught,
    ):
        task_splits(task(**keys), "float32")
    assert caught.value.exit_status == 2


def test_train_may_be_all_the_rows_available():
    with Using(made([0, 1, 2] * 5, [0, 1, 2], 3)):
        assert len(task_splits(task(train=14), "float32").train) == 14


def test_an_unknown_data_set_is_a_request_error():
    with pytest.raises(RequestError, match=r"unknown dataset 'digit'.*'digits'"):
        task_splits(task(dataset="digit"), "float32")


@pytest.mark.parametrize("name", [n for n in DATASETS if n not in ("fashion-mnist", "mnist")])
def test_unit_inputs_span_zero_to_one(name):
    data = task_splits(task(dataset=name, valid=300), "float32")
    for split in (data.train, data.valid, data.test):
        if dataset(name).how_to_obtain != "generated":
            assert split.inputs.min() == 0
            assert split.inputs.max() == 1
        assert split.inputs.shape[1] == dataset(name).features
    assert len(data.train) + len(data.valid) == dataset(name).train


@full
@pytest.mark.parametrize(
    ("classes", "valid", "train", "test"),
    [((0, 1, 2, 3, 4, 7, 8, 9), 4014, 43986, 8000), ((5, 6), 986, 11014, 2000)],
)
def test_the_transfer_protocol_has_the_published_sizes(classes, valid, train, test):
    data = task_splits(task(dataset="fashion-mnist", valid=5000, classes=classes), "float32")
    assert (len(data.valid), len(data.train), len(data.test)) == (valid, train, test)


@full
def test_in_task_b_label_one_is_the_shirt():
    raw = dataset("fashion-mnist").load()
    data = task_splits(task(dataset="fashion-mnist", valid=5000, classes=(5, 6)), "float64")
    assert dataset("fashion-mnist").classes[6] == "shirt"
    shirts = raw.test.inputs[raw.test.labels == 6]
    np.testing.assert_array_equal(data.test.inputs[data.test.labels == 1], shirts / 255)


@full
def test_standardised_fashion_mnist_is_the_chapters():
    raw = dataset("fashion-mnist").load()
    some = slice(None, None, 9)
    train = raw.train.inputs[5000:, some] / 255
    data = task_splits(task(dataset="fashion-mnist", valid=5000, scaling="standardised"), "float64")
    expected = (raw.test.inputs[:100, some] / 255 - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_allclose(data.test.inputs[:100, some], expected, rtol=1e-9, atol=1e-10)
