"""The data sets are what their descriptions say they are."""

import hashlib
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pooch
import pytest
from scipy import stats
from sklearn.datasets import load_digits

from manyseeds import datasets
from manyseeds.datasets import (
    DATASETS,
    dataset,
    digits,
    fashion_mnist_12k,
    gaussian,
    idx,
    make_fashion_mnist_12k,
    mnist,
)
from manyseeds.datasets.files import DEBIAN
from manyseeds.errors import RequestError

full = pytest.mark.skipif(
    not (DEBIAN / "fashion-mnist").is_dir(),
    reason="the full Fashion-MNIST is not here: apt-get install dataset-fashion-mnist",
)
# Whether its first file is on this machine, without trying to fetch it.
mnist_here = any(
    (folder / f"{idx.TRAIN_IMAGES}{packed}").is_file()
    for folder in mnist.SOURCE.folders()
    for packed in ("", ".gz")
)
with_mnist = pytest.mark.skipif(not mnist_here, reason="MNIST is not here: set MANYSEEDS_DATA")
NEEDS = {"fashion-mnist": full, "mnist": with_mnist}
EVERY = [pytest.param(name, marks=NEEDS.get(name, ())) for name in DATASETS]


@pytest.mark.parametrize("name", EVERY)
def test_a_data_set_is_as_described(name):
    described = dataset(name)
    raw = described.load()
    assert described.name == name
    assert raw.train.inputs.shape == (described.train, described.features)
    assert raw.test.inputs.shape == (described.test, described.features)
    for split in (raw.train, raw.test):
        assert len(split.labels) == len(split)
        assert np.issubdtype(split.labels.dtype, np.integer)
        assert set(split.labels.tolist()) == set(range(len(described.classes)))
        if described.had != "generated":
            assert split.inputs.min() == 0
            assert split.inputs.max() == described.scale


@full
def test_fashion_mnist_has_as_many_images_of_every_class():
    raw = dataset("fashion-mnist").load()
    np.testing.assert_array_equal(np.bincount(raw.train.labels), [6000] * 10)
    np.testing.assert_array_equal(np.bincount(raw.test.labels), [1000] * 10)


def test_the_embedded_subset_has_as_many_images_of_every_class():
    raw = dataset("fashion-mnist-12k").load()
    np.testing.assert_array_equal(np.bincount(raw.train.labels), [1000] * 10)
    np.testing.assert_array_equal(np.bincount(raw.test.labels), [200] * 10)


@full
@pytest.mark.parametrize(("part", "per_class"), [("train", 1000), ("test", 200)])
def test_the_embedded_subset_is_the_first_of_each_class_in_file_order(part, per_class):
    whole = getattr(dataset("fashion-mnist").load(), part)
    subset = getattr(dataset("fashion-mnist-12k").load(), part)
    seen, rows = [0] * 10, []
    for row, label in enumerate(whole.labels.tolist()):
        seen[label] += 1
        if seen[label] <= per_class:
            rows.append(row)
    np.testing.assert_array_equal(subset.inputs, whole.inputs[rows])
    np.testing.assert_array_equal(subset.labels, whole.labels[rows])


@full
def test_the_tool_makes_the_content_of_the_embedded_files():
    contents = make_fashion_mnist_12k.contents()
    hashes = {file: hashlib.sha256(body).hexdigest() for file, body in contents.items()}
    assert hashes == fashion_mnist_12k.SHA256


@full
@pytest.mark.slow
def test_the_tool_makes_the_embedded_files_byte_for_byte(tmp_path):
    make_fashion_mnist_12k.main(tmp_path)
    for file in fashion_mnist_12k.SHA256:
        assert (tmp_path / file).read_bytes() == (make_fashion_mnist_12k.DATA / file).read_bytes()


def test_the_embedded_files_are_small_and_their_licence_is_beside_them():
    data = files("manyseeds.datasets").joinpath("data")
    sizes = [len(data.joinpath(file).read_bytes()) for file in fashion_mnist_12k.SHA256]
    assert sum(sizes) < 6_000_000
    text = data.joinpath("README.md").read_text(encoding="utf-8")
    assert "Copyright © 2017 Zalando SE" in text
    assert "Permission is hereby granted, free of charge" in text
    for file, size in zip(fashion_mnist_12k.SHA256, sizes, strict=True):
        assert f"| `{file}` | {size:,} |" in text


@pytest.mark.parametrize("file", fashion_mnist_12k.SHA256)
def test_a_damaged_embedded_file_is_refused(monkeypatch, file):
    monkeypatch.setitem(fashion_mnist_12k.SHA256, file, "0" * 64)
    with pytest.raises(RequestError, match="install it anew") as caught:
        fashion_mnist_12k.load()
    assert file in str(caught.value)


@pytest.mark.parametrize("part", digits.SHA256)
def test_other_digits_than_the_known_ones_are_refused(monkeypatch, part):
    monkeypatch.setitem(digits.SHA256, part, "0" * 64)
    with pytest.raises(RequestError, match=f"digits have changed.*{part}"):
        digits.load()


def test_digits_are_those_of_scikit_learn_cut_at_1437():
    raw, (inputs, labels) = digits.load(), load_digits(return_X_y=True)
    np.testing.assert_array_equal(raw.train.inputs, inputs[:1437])
    np.testing.assert_array_equal(raw.test.inputs, inputs[-360:])
    np.testing.assert_array_equal(raw.train.labels, labels[:1437])
    np.testing.assert_array_equal(raw.test.labels, labels[-360:])


def test_gaussian_inputs_are_unit_normals_that_nothing_predicts():
    raw = gaussian.load()
    inputs = np.concatenate([raw.train.inputs, raw.test.inputs])
    assert stats.kstest(inputs.ravel(), "norm").pvalue > 1e-3
    even = inputs[np.concatenate([raw.train.labels, raw.test.labels]) == 0]
    odd = inputs[np.concatenate([raw.train.labels, raw.test.labels]) == 1]
    assert len(even) == len(odd)
    assert stats.ttest_ind(even.ravel(), odd.ravel()).pvalue > 1e-3
    correlation = np.corrcoef(inputs.T)[np.triu_indices(100, 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(len(inputs))


def test_other_normals_than_the_known_ones_are_refused(monkeypatch):
    monkeypatch.setitem(gaussian.SHA256, "inputs", "0" * 64)
    with pytest.raises(RequestError, match=r"other normals.*Install the NumPy of constraints\.txt"):
        gaussian.load()


def test_mnist_that_cannot_be_had_is_told_with_the_ways_to_get_it(monkeypatch, tmp_path):
    def refuse(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setattr(datasets.files, "DEBIAN", tmp_path)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / project)
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", refuse)
    monkeypatch.delenv("MANYSEEDS_DATA", raising=False)
    with pytest.raises(RequestError) as told:
        mnist.load()
    assert told.value.exit_status == 2
    for part in (
        "data set 'mnist' is not on this machine",
        "train-images-idx3-ubyte.gz could not be fetched (no network)",
        "set MANYSEEDS_DATA to a folder that has train-images-idx3-ubyte, train-labels",
        "run once with access to the network",
    ):
        assert part in str(told.value)


def test_an_unknown_data_set_is_told_the_nearest_name():
    with pytest.raises(
        RequestError, match=r"unknown dataset 'fashion_mnist'.*Did you mean 'fashion"
    ):
        dataset("fashion_mnist")


def test_listing_the_data_sets_imports_no_heavy_library():
    code = (
        "import sys, manyseeds.datasets as d; [repr(e) for e in d.DATASETS.values()]; "
        "print({'sklearn', 'pooch', 'pandas', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
