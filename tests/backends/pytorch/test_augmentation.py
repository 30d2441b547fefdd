"""PyTorch's augmented images are the definition's."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from manyseeds.techniques import augmentation

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch.augmentation import DeviceChanges, augmented  # noqa: E402
from tests.backends.pytorch.device_toy import CPU  # noqa: E402

LANES, BATCH = 3, 5
RANDOM = np.random.default_rng(7)

KINDS = [
    [{"name": "shift", "pixels": 3.0}],
    ["rotate"],
    ["resize"],
    ["crop"],
    [{"name": "horizontal_flip", "probability": 1.0}],
    ["contrast", "brightness"],
    ["shift", "rotate", "resize", "crop", "horizontal_flip", "contrast", "brightness"],
]


@pytest.mark.parametrize("kinds", KINDS, ids=len)
@pytest.mark.parametrize("side", [1, 2, 8, 9])
def test_augmented_images_are_the_definition(kinds, side):

    techniques = TypeAdapter(list[augmentation.Augmentation]).validate_python(kinds)
    drawn = [
        augmentation.draw_changes(techniques, np.random.default_rng(lane), BATCH, (side, side))
        for lane in range(LANES)
    ]
    changes = augmentation.Changes(
        *(np.stack([getattr(own, n) for own in drawn]) for n in ("affine", "gain", "offset"))
    )
    images = RANDOM.uniform(size=(LANES, BATCH, side, side))
    images_changed = augmented(torch.tensor(images).flatten(2), DeviceChanges.put(changes, CPU))
    expected = [augmentation.augmented(images[lane], drawn[lane]) for lane in range(LANES)]
    np.testing.assert_allclose(
        images_changed, np.reshape(expected, images_changed.shape), rtol=1e-10, atol=1e-12
    )
