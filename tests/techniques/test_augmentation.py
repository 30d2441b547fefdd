"""Augmentation against NumPy's rolls and rotations and SciPy's interpolation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from manyseeds.techniques import augmentation
from manyseeds.techniques.augmentation import Changes, augmented, draw_changes

IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])
IMAGES = np.random.default_rng(0).uniform(0, 1, (4, 9, 9))


def changed(images, affine=IDENTITY, gain=1.0, offset=0.0):
    n = len(images)
    changes = Changes(np.tile(affine, (n, 1, 1)), np.full(n, gain), np.full(n, offset))
    return augmented(images, changes)


def drawn(*kinds, count=2000, size=(9, 9), seed=0):
    return draw_changes(kinds, np.random.default_rng(seed), count, size)


def test_no_change_changes_nothing():
    np.testing.assert_allclose(changed(IMAGES), IMAGES, rtol=0, atol=1e-16)
    still = [
        *(augmentation.Shift(pixels=0.0), augmentation.Rotate(degrees=0.0)),
        *(augmentation.Resize(share=0.0), augmentation.Crop(share=0.0)),
        *(augmentation.HorizontalFlip(probability=0.0), augmentation.Contrast(share=0.0)),
        augmentation.Brightness(most=0.0),
    ]
    changes = drawn(*still, count=4)
    np.testing.assert_array_equal(changes.affine, np.tile(IDENTITY, (4, 1, 1)))
    np.testing.assert_allclose(augmented(IMAGES, changes), IMAGES, rtol=0, atol=1e-16)


@pytest.mark.parametrize(("right", "down"), [(1, 0), (0, 1), (-2, 3), (8, -8), (9, 0)])
def test_a_shift_by_whole_pixels_rolls_and_fills_with_zeros(right, down):
    # A pixel shows what was at its place minus the move.
    found = changed(IMAGES, np.array([[1.0, 0, -right], [0, 1, -down]]))
    expected = np.roll(IMAGES, (down, right), axis=(1, 2))
    rows, columns = np.mgrid[:9, :9]
    gone = ~(
        (rows - down >= 0) & (rows - down < 9) & (columns - right >= 0) & (columns - right < 9)
    )
    expected[:, gone] = 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("side", [9, 8])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_rotation_by_right_angles_is_rot90(turns, side):
    images = IMAGES[:, :side, :side]
    angle = turns * np.pi / 2
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]])
    expected = np.rot90(images, turns, axes=(1, 2))
    # x to the right, y downwards: to look up places turned clockwise turns the image the other way.
    np.testing.assert_allclose(changed(images, turn), expected, rtol=0, atol=1e-14)


def test_a_horizontal_flip_is_fliplr():
    changes = drawn(augmentation.HorizontalFlip(probability=1.0), count=4)
    np.testing.assert_array_equal(augmented(IMAGES, changes), IMAGES[:, :, ::-1])


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.sampled_from([(9, 9), (6, 6), (5, 8), (1, 4)]),
)
def test_any_affine_map_is_scipys_linear_interpolation(seed, size):
    generator = np.random.default_rng(seed)
    images = generator.uniform(-1, 1, (2, *size))
    affine = IDENTITY + generator.uniform(-1.2, 1.2, (2, 2, 3)) * [1, 1, 3]
    found = augmented(images, Changes(affine, np.ones(2), np.zeros(2)))
    # SciPy counts (row, column) from the corner; "grid-constant" fades beyond the edge as here.
    centre = (np.array(size) - 1) / 2
    for image, ours, map_ in zip(images, found, affine, strict=True):
        linear, move = map_[::-1, 1::-1], map_[::-1, 2]
        expected = ndimage.affine_transform(
            *(image, linear, centre + move - linear @ centre),
            order=1,
            mode="grid-constant",
        )
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)


def test_contrast_is_about_the_mean_of_the_image_and_brightness_adds():
    found = changed(IMAGES, gain=0.5)
    assert found.mean(axis=(1, 2)) == pytest.approx(IMAGES.mean(axis=(1, 2)))
    assert found.std(axis=(1, 2)) == pytest.approx(IMAGES.std(axis=(1, 2)) / 2)
    np.testing.assert_allclose(changed(IMAGES, offset=0.3), IMAGES + 0.3, rtol=0, atol=1e-15)


def test_contrast_is_about_the_mean_after_the_image_was_moved():
    away = np.array([[1.0, 0, 4], [0, 1, 0]])
    moved = changed(IMAGES, away)
    expected = (moved - moved.mean(axis=(1, 2), keepdims=True)) * 2 + moved.mean(
        axis=(1, 2), keepdims=True
    )
    np.testing.assert_allclose(changed(IMAGES, away, gain=2.0), expected, rtol=0, atol=1e-14)


def is_uniform(values, low, high):
    return stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-3


def test_draws_are_uniform_within_their_bounds():
    affine = drawn(augmentation.Shift(pixels=3.0)).affine
    assert is_uniform(affine[:, 0, 2], -3, 3)
    assert is_uniform(affine[:, 1, 2], -3, 3)
    affine = drawn(augmentation.Rotate(degrees=20.0)).affine
    assert is_uniform(np.degrees(np.arctan2(affine[:, 1, 0], affine[:, 0, 0])), -20, 20)
    assert np.linalg.det(affine[:, :, :2]) == pytest.approx(np.ones(2000))
    affine = drawn(augmentation.Resize(share=0.2)).affine
    assert is_uniform(1 / affine[:, 0, 0], 0.8, 1.2)  # places move by 1 / factor
    assert (affine[:, 0, 0] == affine[:, 1, 1]).all()
    assert is_uniform(drawn(augmentation.Contrast(share=0.3)).gain, 0.7, 1.3)
    assert is_uniform(drawn(augmentation.Brightness(most=0.2)).offset, -0.2, 0.2)
    flipped = (drawn(augmentation.HorizontalFlip(probability=0.3)).affine[:, 0, 0] == -1).mean()
    assert flipped == pytest.approx(0.3, abs=4.5 * np.sqrt(0.21 / 2000))


def test_a_crop_enlarges_a_window_inside_the_image():
    affine = drawn(augmentation.Crop(share=0.25), size=(5, 9)).affine
    corners = np.array([[-4, -2, 1], [4, 2, 1]])  # of the new image, from its centre
    places = np.einsum("nij,cj->nci", affine, corners)
    assert (places[:, 0] >= [-4, -2]).all()
    assert (places[:, 1] <= [4, 2]).all()
    assert places[:, 1] - places[:, 0] == pytest.approx(np.tile([6.0, 3.0], (2000, 1)))
    assert is_uniform(affine[:, 0, 2], -1, 1)
    assert is_uniform(affine[:, 1, 2], -0.5, 0.5)


def test_changes_are_made_in_the_order_given():
    """Shifted, then resized: as scaling an image that was moved before."""
    both = (augmentation.Shift(pixels=2.0), augmentation.Resize(share=0.5))
    generator = np.random.default_rng(3)
    move = generator.uniform(-2, 2, (1, 2))
    factor = generator.uniform(0.5, 1.5, 1)
    found = drawn(*both, count=1, seed=3).affine[0]
    # The new pixel p looks up p / factor in the moved image, and that at + move in the first.
    np.testing.assert_allclose(found, np.column_stack([np.eye(2) / factor, move[0]]))
    found = drawn(*both[::-1], count=1, seed=3)
    generator = np.random.default_rng(3)
    factor, move = generator.uniform(0.5, 1.5, 1), generator.uniform(-2, 2, (1, 2))
    expected = np.column_stack([np.eye(2) / factor, move[0] / factor])
    np.testing.assert_allclose(found.affine[0], expected)


def test_images_keep_their_precision():
    assert changed(IMAGES.astype(np.float64)).dtype == np.float64
    changes = Changes(*(np.float32(x) for x in ([IDENTITY], [1.5], [0.1])))
    assert augmented(IMAGES[:1].astype(np.float32), changes).dtype == np.float32
