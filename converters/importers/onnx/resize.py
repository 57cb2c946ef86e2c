"""ONNX's Resize, where it repeats places."""

from collections.abc import Callable

import numpy as np

from thresher.converters.importers import layers
from thresher.converters.importers.builder import Array, Value
from thresher.converters.importers.onnx.handlers import HANDLERS
from thresher.converters.importers.onnx.walk import Here
from thresher.errors import GraphError


@HANDLERS.of("Resize")
def _resize(here: Here) -> Value:
    """Repeat each place a whole number of times; refuse other grids."""
    x, mode = here.x(), here.get("mode", "nearest")
    if mode != "nearest":
        raise GraphError(f"resizes by mode '{mode}'; expected 'nearest'")
    rank = len(x.shape) + 1
    axes = [axis % rank for axis in here.get("axes", range(rank))]
    factors = [1.0] * rank
    scales, sizes = here.optional(2), here.optional(3)
    whole = here.sizes()
    if here.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise GraphError("keeps the aspect ratio; expected scales, or sizes that are met")
    for i, axis in enumerate(axes):
        if scales is not None and scales.size:
            factors[axis] = float(scales[i])
        elif sizes is not None:
            factors[axis] = float(sizes[i]) / whole[axis]
    if factors[:2] != [1.0, 1.0] or any(f < 1 or f != int(f) for f in factors):
        raise GraphError(f"resizes by {factors}; expected whole factors of the places alone")
    repeats = [int(factor) for factor in factors[2:]]
    if any(repeat > layers.LARGEST_FIELD for repeat in repeats):
        raise GraphError(f"resizes by {repeats}")
    coordinates = here.get("coordinate_transformation_mode", "half_pixel")
    rounding = here.get("nearest_mode", "round_prefer_floor")
    for n, repeat in zip(x.shape[1:], repeats, strict=True):
        if not _is_repetition(n, repeat, coordinates, rounding):
            raise GraphError(
                f"takes places by '{coordinates}' and '{rounding}', which is no repetition of "
                f"{n} places {repeat} times; expected 'asymmetric' and 'floor'"
            )
    return layers.upsample(here.b, here.name, x, repeats)


def _is_repetition(n: int, repeat: int, coordinates: str, rounding: str) -> bool:
    """Tell whether a grid reads place i // repeat for each i (the formulas of ONNX's Resize)."""
    i = np.arange(min(n * repeat, layers.LARGEST_FIELD), dtype=np.float64)
    half = (i + 0.5) / repeat - 0.5
    grids = {
        "half_pixel": half,
        "pytorch_half_pixel": half if n * repeat > 1 else i * 0,
        "half_pixel_symmetric": half,
        "asymmetric": i / repeat,
    }
    rounded: dict[str, Callable[[Array], Array]] = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round_prefer_floor": lambda x: np.ceil(x - 0.5),
        "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    }
    if coordinates not in grids or rounding not in rounded:
        return repeat == 1
    found = np.clip(rounded[rounding](grids[coordinates]), 0, n - 1)
    return bool((found == i // repeat).all())
