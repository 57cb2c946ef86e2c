"""Images as a graph takes them: what is refused, what is warned of, what preprocessing gives."""

import warnings

import numpy as np
import pytest

from thresher.errors import DataError
from thresher.ir import Graph, Input, Node, Preprocess, evaluate, ops
from thresher.ir.images import check_images, preprocess


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
