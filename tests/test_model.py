"""Numbers in suites: `true`, texts and fractions are no whole numbers, NaN is no number at all."""

from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError

from manyseeds.model import Model
from manyseeds.suite.claims import ESTIMANDS, Reference
from manyseeds.suite.recipe import Phase, Recipe, Task
from manyseeds.suite.suite import Suite, VarianceStudy
from manyseeds.techniques.registry import techniques

MODELS = [*techniques(), *ESTIMANDS.values(), Reference, Task, Phase, Recipe, Suite, VarianceStudy]


def fields(*types):
    """Return the fields of all suites' models that have one of these types."""
    found = []
    for model in MODELS:
        for name, field in model.model_fields.items():
            if field.annotation in types:
                adapter = TypeAdapter(
                    Annotated[field.annotation, None, *field.metadata], config=Model.model_config
                )
                found.append(pytest.param(adapter, id=f"{model.__name__}.{name}"))
    return found


@pytest.mark.parametrize("field", fields(int, int | None))
def test_a_whole_number_is_neither_true_nor_a_fraction_nor_a_text(field):
    for value in (True, False, 2.0, 2.5, "2", [2], {}, float("nan")):
        with pytest.raises(ValidationError):
            field.validate_python(value)
    assert field.validate_python(2) == 2


@pytest.mark.parametrize("field", fields(float, float | None))
def test_a_number_is_finite_and_neither_true_nor_a_text(field):
    for value in (True, False, float("nan"), float("inf"), -float("inf"), "0.5", [0.5], {}):
        with pytest.raises(ValidationError):
            field.validate_python(value)


@pytest.mark.parametrize("field", fields(bool))
def test_a_switch_is_neither_a_number_nor_a_text(field):
    for value in (0, 1, 1.0, "true", "yes", [True], None):
        with pytest.raises(ValidationError):
            field.validate_python(value)
    assert field.validate_python(True) is True


@pytest.mark.parametrize("field", fields(tuple[int, ...], tuple[float, ...]))
def test_lists_of_numbers_are_as_strict(field):
    for value in ((True,), (float("nan"),), ("1",), (float("inf"),)):
        with pytest.raises(ValidationError):
            field.validate_python(value)


def test_the_models_have_numbers_of_all_kinds():
    for kinds, least in (((int, int | None), 15), ((float, float | None), 50), ((bool,), 8)):
        assert len(fields(*kinds)) >= least
