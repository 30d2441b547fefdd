"""The transfer suite is the chapter's protocol."""

import pytest

from manyseeds.suite.files import read_suite


@pytest.fixture(scope="module")
def transfer():
    return read_suite("transfer").suite


def test_the_transfer_suite_has_the_chapters_data(transfer):
    pretrain, frozen, _ = transfer.recipe("one_rate", "5-6").phases
    # Fashion-MNIST, the first 5000 images for validation; sandals (5) against shirts (6), 200.
    assert pretrain.task.dataset == frozen.task.dataset == "fashion-mnist"
    assert pretrain.task.valid == frozen.task.valid == 5000
    assert pretrain.task.classes == (0, 1, 2, 3, 4, 7, 8, 9)
    assert frozen.task.classes == (5, 6)
    assert (pretrain.task.train, frozen.task.train) == (None, 200)
    assert pretrain.task.scaling == "unit"


def test_the_transfer_suite_has_the_chapters_networks(transfer):
    pretrain, frozen, finetune = transfer.recipe("one_rate", "5-6").phases
    (scratch,) = transfer.recipe("scratch", "5-6").phases
    for phase, units, output in (
        (pretrain, 8, "softmax"),
        (frozen, 1, "logistic"),
        (finetune, 1, "logistic"),
        (scratch, 1, "logistic"),
    ):
        *hidden, last = phase.network.dense()
        assert [layer.units for layer in hidden] == [300, 100, 50, 50, 50]
        assert {layer.activation.name for layer in hidden} == {"selu"}
        assert {layer.initialiser.name for layer in (*hidden, last)} == {"glorot_uniform"}
        assert (last.units, last.activation.name) == (units, output)
        assert phase.network.layers == phase.network.dense()
    assert pretrain.network.name != frozen.network.name
    assert frozen.network == finetune.network == scratch.network


def test_the_transfer_suite_has_the_chapters_training(transfer):
    pretrain, frozen, finetune = transfer.recipe("one_rate", "5-6").phases
    (scratch,) = transfer.recipe("scratch", "5-6").phases
    phases = (pretrain, frozen, finetune, scratch)
    assert [phase.epochs for phase in phases] == [20, 4, 16, 20]
    assert {phase.rate for phase in phases} == {1e-3}
    assert {phase.batch for phase in phases} == {32}
    assert {phase.optimizer.name for phase in phases} == {"sgd"}
    assert {phase.schedule.name for phase in phases} == {"constant"}
    assert {phase.early_stopping for phase in phases} == {None}
    hidden = tuple(f"hidden{n}" for n in range(1, 6))
    assert frozen.reuse == frozen.frozen == hidden
    assert finetune.reuse == "all"
    assert finetune.frozen == ()
    rates = [phase.rate for phase in transfer.recipe("listing", "5-6").phases]
    assert rates == [1e-3, 1e-2, 1e-4]
    oldest = [phase.rate for phase in transfer.recipe("one_rate_oldest", "5-6").phases]
    assert oldest == [1e-3, 1e-2, 1e-2]


def test_the_transfer_suite_tests_the_almost_fourfold_reduction_on_a_hundred_seeds(transfer):
    assert transfer.seeds == 100
    claims = {claim.name: claim for claim in transfer.claims}
    claim = claims["transfer_one_rate"]
    assert (claim.treatment, claim.baseline, claim.metric) == (
        "one_rate",
        "scratch",
        "test_accuracy",
    )
    assert claim.factor == 3.7
    published = claim.references[0]
    assert (published.baseline, published.treatment) == (0.972, 0.9925)
    assert published.error_factor == 3.7
    assert claim.factor == pytest.approx((1 - 0.972) / (1 - 0.9925), abs=0.05)
    assert {reference.factor for reference in claim.references} >= {3.9, 4.1, 4.5, 4.9}


def test_reusing_all_five_layers_is_the_same_training_as_one_rate(transfer):
    five, one_rate = (transfer.recipe(name, "5-6") for name in ("reuse_5", "one_rate"))
    assert five.fingerprint() == one_rate.fingerprint()
    fewer = [transfer.recipe(f"reuse_{n}", "5-6") for n in range(1, 5)]
    assert len({r.fingerprint() for r in (*fewer, five)}) == 5
    assert {r.prefix(1) for r in fewer} == {one_rate.prefix(1)}
