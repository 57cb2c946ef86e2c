"""The packaged digits: their shapes, values, split, and the model that goes with them."""

import numpy as np

from thresher import digits


def test_digits_are_1797_images_of_values_0_to_16() -> None:
    x_train, y_train, x_test, y_test = digits.load()
    assert x_train.shape == (1297, 1, 8, 8)
    assert x_test.shape == (500, 1, 8, 8)
    assert (x_train.dtype, y_train.dtype) == (np.uint8, np.int64)
    assert (int(x_train.min()), int(x_train.max())) == (0, 16)
    assert sorted(set(y_train.tolist())) == sorted(set(y_test.tolist())) == list(range(10))


def test_no_test_image_stands_in_the_training_part() -> None:
    x_train, _, x_test, _ = digits.load()
    seen = {image.tobytes() for image in x_train}
    assert not [image for image in x_test if image.tobytes() in seen]


def test_the_cnn_has_its_weights_beside_it() -> None:
    assert digits.cnn_spec().with_suffix(".safetensors").is_file()
