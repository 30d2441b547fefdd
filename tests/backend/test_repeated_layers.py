"""Runs of equal layers: they hold all layers, and the blocks of a run are equal and closed."""

from hypothesis import given
from hypothesis import strategies as st

from manyseeds.backend.repeated_layers import FEWEST, layer_runs
from manyseeds.suite.dense_stack import dense_stack
from manyseeds.techniques.layers import Skip
from manyseeds.techniques.network import INPUT, Network

OUTPUT = {"name": "dense", "units": 1, "activation": "logistic"}
KINDS = ("dense", "wide", "batch_norm", "dropout", "skip")


def network(*layers):
    return Network(name="net", layers=(*layers, OUTPUT))


def stack(units, **table):
    return network(*dense_stack(units, table))


def times(found):
    return [(len(run.block), len(run.blocks)) for run in found]


def test_equal_layers_are_one_run_between_other_layers():
    found = layer_runs(stack([300, [100, 99]]), 784)
    # The first layer of 100 units takes 300.
    assert times(found) == [(2, 1), (1, 98)]
    assert found[0].below == INPUT
    assert found[1].below == "hidden2"
    assert found[1].labels(found[1].block[0])[:2] == ("hidden3", "hidden4")


def test_too_few_repetitions_make_no_run():
    assert times(layer_runs(stack([[100, FEWEST]]), 100)) == [(1, FEWEST)]
    assert times(layer_runs(stack([[100, FEWEST - 1]]), 100)) == [(FEWEST - 1, 1)]


def test_a_block_may_have_many_layers():
    found = layer_runs(
        stack([[50, 20]], after=["batch_norm", {"name": "dropout", "rate": 0.1}]), 50
    )
    assert times(found) == [(3, 20)]


def test_a_skip_connection_stays_within_its_block():
    found = layer_runs(stack([[100, 200]], skip=10), 100)
    # The stem; blocks of ten layers and their connection; the layers left over.
    assert times(found) == [(1, 1), (11, 19), (1, 9)]
    assert found[1].block[-1].of == found[1].below == "stem"


def test_a_frozen_layer_interrupts_a_run():
    assert times(layer_runs(stack([[100, 20]]), 100, {"hidden10"})) == [(1, 9), (1, 1), (1, 10)]


def test_a_layer_read_from_further_up_is_inside_no_run():
    layers = [{"name": "dense", "units": 9, "label": f"d{i}"} for i in range(20)]
    found = layer_runs(network(*layers, {"name": "skip", "of": "d12"}), 9)
    assert times(found) == [(1, 13), (8, 1)]


def _layer(kind, below):
    match kind:
        case "dense" | "wide":
            return {"name": "dense", "units": 6 if kind == "wide" else 5}
        case "skip":
            return {"name": "skip", "of": below}
        case "dropout":
            return {"name": "dropout", "rate": 0.5}
        case _:
            return {"name": kind}


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3), st.integers(1, 24)),
        max_size=4,
    ),
    st.sets(st.integers(0, 40)),
    st.data(),
)
def test_blocks_are_equal_and_closed_and_hold_all_layers(parts, frozen, data):
    kinds = [kind for block, count in parts for kind in block * count]
    widths, layers = {INPUT: 5}, []
    width = 5
    for number, kind in enumerate(kinds):
        fitting = [label for label, units in widths.items() if units == width]
        below = data.draw(st.sampled_from(fitting[-3:])) if kind == "skip" else None
        layers.append(_layer(kind, below) | {"label": f"l{number}"})
        width = {"dense": 5, "wide": 6}.get(kind, width)
        widths[f"l{number}"] = width
    net = network(*layers)
    still = {f"l{number}" for number in frozen}
    found = layer_runs(net, 5, still)
    assert [layer for run in found for block in run.blocks for layer in block] == list(
        net.layers[:-1]
    )
    below, above = INPUT, len(net.layers)
    for run in found:
        assert run.below == below
        below = run.blocks[-1][-1].label
        if not run.repeated:
            continue
        assert len(run.blocks) >= FEWEST
        assert widths[run.below] == widths[run.block[-1].label]
        enter = run.below
        for block in run.blocks:
            own = {enter: 0} | {layer.label: i + 1 for i, layer in enumerate(block)}
            first = {run.below: 0} | {layer.label: i + 1 for i, layer in enumerate(run.block)}
            for layer, model in zip(block, run.block, strict=True):
                assert layer.name == model.name
                assert widths[layer.label] == widths[model.label]
                assert (layer.label in still) == (model.label in still)
                if isinstance(layer, Skip):
                    assert own[layer.of] == first[model.of]
            enter = block[-1].label
        inner = {layer.label for block in run.blocks for layer in block} - {enter}
        outside = [layer for layer in net.layers[:above] if layer.label not in inner | {enter}]
        assert not any(layer.of in inner for layer in outside if isinstance(layer, Skip))
