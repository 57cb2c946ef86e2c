"""Images as a graph takes them: what is refused, what is warned of, what preprocessing gives."""

import warnings

import numpy as np
import pytest

from thresher.errors import DataError
from thresher.ir import Graph, Input, Node, Preprocess, evaluate, ops
from thresher.ir.evaluate import evaluate_blocks
from thresher.ir.images import check_images, image_blocks, preprocess


def graph(preprocess: Preprocess | None = None) -> Graph:
    image = Input("image", (2, 2, 2), preprocess)
    return Graph("net", (image,), (Node("out", ops.Identity(), ("image",)),), ("out",))


def prepare(net: Graph, x: np.ndarray) -> np.ndarray:
    return preprocess(net, check_images(net, x))


def test_pixels_are_divided_then_centred_and_scaled_by_channel() -> None:
    pixels = np.full((1, 2, 2, 2), 51, np.uint8)
    found = prepare(graph(Preprocess(255, (0.1, 0.2), (0.5, 0.25))), pixels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0, :, 0, 0], [0.2, 0.0], atol=1e-7)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float32])
def test_images_become_float32(dtype: type) -> None:
    assert prepare(graph(), np.ones((1, 2, 2, 2), dtype)).dtype == np.float32


def test_float64_images_without_preprocess_stay_float64() -> None:
    assert prepare(graph(), np.ones((1, 2, 2, 2))).dtype == np.float64


@pytest.mark.parametrize("dtype", [bool, complex, object, "U3"])
def test_what_is_no_number_is_refused(dtype: type) -> None:
    with pytest.raises(DataError, match=r"the images are of type .*; expected uint8 or float"):
        prepare(graph(), np.zeros((1, 2, 2, 2), dtype))


@pytest.mark.parametrize("shape", [(3, 2, 2), (3, 2, 2, 3), (2,)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"but input 'image' takes \[2, 2, 2\]"):
        prepare(graph(), np.zeros(shape, np.uint8))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_first_image_that_is_not_finite_is_named_by_its_place_in_all_of_them(
    value: float,
) -> None:
    images = np.zeros((100, 2, 2, 2), np.float32)
    images[[70, 80], 1, 1, 1] = value
    with pytest.raises(
        DataError, match="image 70 holds a NaN, an infinite value or one beyond float32"
    ):
        evaluate(graph(), images, batch=16)


def test_pixels_that_preprocessing_cannot_hold_are_refused() -> None:
    images = np.zeros((3, 2, 2, 2))
    images[1] = 1e300
    with pytest.raises(DataError, match=r"image 1 holds .* beyond float32"):
        evaluate(graph(Preprocess(divide=255)), images)


@pytest.mark.parametrize("low", [-0.5, 0.0])
def test_float_images_that_look_preprocessed_get_one_warning(low: float) -> None:
    images = np.linspace(low, 1, 800).reshape(100, 2, 2, 2)
    with pytest.warns(UserWarning, match="as if they were preprocessed already") as caught:
        evaluate(graph(Preprocess(divide=255)), images, batch=16)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("images", [np.ones((1, 2, 2, 2), np.uint8), np.full((1, 2, 2, 2), 255.0)])
def test_raw_pixels_get_no_warning(images: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare(graph(Preprocess(divide=255)), images)


class Stored:
    """Images that are not in memory."""

    def __init__(self, x: np.ndarray) -> None:
        self.x, self.shape, self.dtype = x, x.shape, x.dtype

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, part: slice) -> np.ndarray:
        return self.x[part]


@pytest.mark.parametrize("block", [1, 3, 100])
def test_what_is_read_in_blocks_gives_what_an_array_gives(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("thresher.ir.images.BLOCK", block)
    x = np.random.default_rng(0).integers(0, 256, (7, 2, 2, 2), dtype=np.uint8)
    net = graph(Preprocess(divide=255))
    np.testing.assert_array_equal(evaluate(net, Stored(x)), evaluate(net, x))
    found = np.concatenate([*evaluate_blocks(net, Stored(x))])
    np.testing.assert_array_equal(found, evaluate(net, x))


def test_large_images_come_in_smaller_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thresher.ir.images.BLOCK_VALUES", 20)
    blocks = image_blocks(graph(), np.zeros((5, 2, 2, 2)))
    assert [len(block) for block in blocks] == [2, 2, 1]


def test_a_bad_image_in_a_later_block_is_named_with_its_position(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("thresher.ir.images.BLOCK", 2)
    x = np.full((6, 2, 2, 2), 200.0)
    x[4] = 1e300
    with pytest.raises(DataError, match=r"image 4 holds .* beyond float32"):
        evaluate(graph(Preprocess(divide=255)), Stored(x))


def test_float_images_read_in_blocks_get_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thresher.ir.images.BLOCK", 2)
    with pytest.warns(UserWarning, match="as if they were preprocessed already") as caught:
        evaluate(graph(Preprocess(divide=255)), Stored(np.full((6, 2, 2, 2), -0.5)))
    assert len(caught) == 1
