"""Random shifts and mirrors, and how an epoch is cut into batches."""

import numpy as np
import pytest

from thresher.errors import TrainingError
from thresher.training.augment import Augmentation, augmentation, batches
from thresher.training.settings import TrainingSettings


def numbered(n: int) -> np.ndarray:
    """Return n times one image of 2 channels whose pixels are numbered from 1."""
    image = np.arange(1, 2 * 3 * 4 + 1, dtype=np.uint8).reshape(2, 3, 4)
    return np.repeat(image[None], n, axis=0)


def shifted(image: np.ndarray, crop: int) -> list[bytes]:
    """List every image that a shift by up to `crop` pixels gives."""
    _, height, width = image.shape
    padded = np.pad(image, ((0, 0), (crop, crop), (crop, crop)))
    sides = range(2 * crop + 1)
    return [
        padded[:, top : top + height, left : left + width].tobytes()
        for top in sides
        for left in sides
    ]


def test_every_shift_occurs_and_nothing_else() -> None:
    x = numbered(400)
    moved = Augmentation(crop=1, flip=False).apply(x, np.random.default_rng(0))
    assert moved.dtype == np.uint8
    assert {image.tobytes() for image in moved} == set(shifted(x[0], 1))


def test_images_are_mirrored_or_left_about_equally_often() -> None:
    x = numbered(1000)
    moved = Augmentation(crop=0, flip=True).apply(x, np.random.default_rng(0))
    mirrored = (moved == x[..., ::-1]).all(axis=(1, 2, 3))
    left = (moved == x).all(axis=(1, 2, 3))
    assert (mirrored | left).all()
    assert mirrored.mean() == pytest.approx(0.5, abs=0.06)  # 3.8 standard deviations


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3, 32, 32), Augmentation(4, True)),
        ((1, 28, 28), Augmentation(0, False)),
        ((64,), Augmentation(0, False)),
    ],
)
def test_colour_images_alone_are_moved_by_default(
    shape: tuple[int, ...], expected: Augmentation
) -> None:
    assert augmentation(TrainingSettings(), shape) == expected


def test_settings_go_before_the_defaults() -> None:
    settings = TrainingSettings(crop=2, flip=False)
    assert augmentation(settings, (3, 32, 32)) == Augmentation(2, False)
    assert augmentation(settings, (1, 28, 28)) == Augmentation(2, False)


def test_what_has_no_height_and_width_cannot_be_moved() -> None:
    with pytest.raises(TrainingError, match=r"the input is \[64\]; expected \(C, H, W\)"):
        augmentation(TrainingSettings(crop=2), (64,))


@pytest.mark.parametrize(("n", "size", "sizes"), [(10, 4, [4, 3, 3]), (9, 4, [3] * 3), (3, 8, [3])])
def test_an_epoch_shows_every_image_once_in_batches_of_even_size(
    n: int, size: int, sizes: list[int]
) -> None:
    parts = batches(n, size, np.random.default_rng(0))
    assert [len(part) for part in parts] == sizes
    assert sorted(np.concatenate(parts)) == list(range(n))
