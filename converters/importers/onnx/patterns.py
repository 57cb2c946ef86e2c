"""Layers that files write in steps: GELU by Erf, layer norm by two means.

PyTorch exports GELU so below opset 20, and layer norm below opset 17. A pattern becomes one call
of the operator that later versions have; steps that are read elsewhere too stay beside it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import sqrt

import numpy as np

from thresher.converters.importers.builder import Array
from thresher.converters.importers.onnx.file import OnnxCall, OnnxModel
from thresher.converters.importers.onnx.shapes import Axes

READS = {"Add": 2, "Sub": 2, "Mul": 2, "Div": 2, "Pow": 2, "Erf": 1, "Sqrt": 1}
"""How many values an operator of a pattern reads; ReduceMean may have its axes as a second."""


def with_layers(model: OnnxModel) -> OnnxModel:
    """Return a model in which each pattern that is found is one call."""
    steps = _Steps(model)
    found = [match for call in model.calls for match in (_gelu(steps, call), _norm(steps, call))]
    matches = [match for match in found if match is not None]
    layers = {match.layer.outputs[0]: match.layer for match in matches}
    inner = {step.outputs[0] for match in matches for step in match.steps} - set(layers)
    calls = [layers.get(call.outputs[0], call) if call.outputs else call for call in model.calls]
    return replace(model, calls=tuple(_needed(calls, inner, model.outputs)))


@dataclass(frozen=True)
class _Match:
    """The calls of a pattern, and the layer in the place of the last of them."""

    steps: tuple[OnnxCall, ...]
    layer: OnnxCall


@dataclass(frozen=True)
class _Steps:
    """A model's calls, by what they give and by what they read."""

    model: OnnxModel

    @cached_property
    def producers(self) -> Mapping[str, OnnxCall]:
        return {name: call for call in self.model.calls for name in call.outputs}

    @cached_property
    def readers(self) -> Mapping[str, list[OnnxCall]]:
        readers: dict[str, list[OnnxCall]] = {}
        for call in self.model.calls:
            for name in call.inputs:
                readers.setdefault(name, []).append(call)
        return readers

    def giving(self, name: str, operator: str) -> OnnxCall | None:
        """Return the call of an operator that gives a value, if it is one."""
        call = self.producers.get(name)
        return call if call is not None and _is(call, operator) else None

    def after(self, call: OnnxCall, operator: str) -> OnnxCall | None:
        """Return the call of an operator that alone reads what a call gives, if it is one."""
        name = call.outputs[0]
        readers = self.readers.get(name, [])
        alone = len(readers) == 1 and name not in self.model.outputs
        return readers[0] if alone and _is(readers[0], operator) else None

    def constant(self, name: str) -> Array | None:
        """Return an initialiser, or what a Constant gives."""
        call = self.producers.get(name)
        if call is None or call.operator != "Constant":
            return self.model.initialisers.get(name)
        given = [call.attributes.get(key) for key in ("value", "value_float", "value_floats")]
        return next((np.asarray(item) for item in given if item is not None), None)

    def number(self, name: str) -> float | None:
        """Return a constant that is one number."""
        values = self.constant(name)
        return values.item() if values is not None and values.size == 1 else None

    def is_number(self, name: str, number: float) -> bool:
        """Tell whether a value is a constant that holds a number, up to rounding of float16."""
        found = self.number(name)
        close = 2e-3 if found is not None and self._is_half(name) else 1e-6
        return found is not None and abs(found / number - 1) < close

    def scaled(self, name: str, factor: float) -> tuple[str, OnnxCall] | None:
        """Return x, and the call, where a value is x * factor or x / (1 / factor)."""
        product, quotient = self.giving(name, "Mul"), self.giving(name, "Div")
        if product is not None:
            for x, constant in (product.inputs, product.inputs[::-1]):
                if self.is_number(constant, factor):
                    return x, product
        if quotient is not None and self.is_number(quotient.inputs[1], 1 / factor):
            return quotient.inputs[0], quotient
        return None

    def axes(self, mean: OnnxCall) -> list[int] | None:
        """Return the axes of a mean that keeps them."""
        given = mean.attributes.get("axes")
        if given is None and len(mean.inputs) > 1:
            given = self.constant(mean.inputs[1])
        if given is None or not mean.attributes.get("keepdims", 1):
            return None
        return sorted(int(axis) for axis in np.ravel(given))

    def rank(self, name: str) -> int | None:
        """Return how many axes a value has, where the file or inference tells it."""
        axes = self.model.inputs.get(name) or self._told.get(name)
        return None if axes is None else len(axes)

    @cached_property
    def _told(self) -> Mapping[str, Axes]:
        return self.model.told_shapes()

    def _is_half(self, name: str) -> bool:
        values = self.constant(name)
        return values is not None and values.dtype == np.float16


def _is(call: OnnxCall, operator: str) -> bool:
    count = READS.get(operator)
    fits = len(call.inputs) == count if count else 1 <= len(call.inputs) <= 2
    return call.operator == operator and not call.domain and fits and len(call.outputs) == 1


def _other(call: OnnxCall, name: str) -> str:
    """Return what a call of two values reads beside one of them."""
    first, second = call.inputs
    return second if first == name else first


def _layer(
    operator: str, last: OnnxCall, inputs: tuple[str, ...], **attributes: object
) -> OnnxCall:
    """Return a call in a pattern's place, which bears the path that its steps have."""
    path = last.name.rpartition("/")[0]
    name = f"{path}/{operator}" if path else last.name
    return OnnxCall(operator, "", name, inputs, last.outputs, attributes)


def _gelu(steps: _Steps, call: OnnxCall) -> _Match | None:
    """Match x * 0.5 * (1 + erf(x / sqrt(2))), the factors in any order, from its Erf on."""
    inner = steps.scaled(call.inputs[0], 1 / sqrt(2)) if _is(call, "Erf") else None
    total = steps.after(call, "Add") if inner is not None else None
    if inner is None or total is None or not steps.is_number(_other(total, call.outputs[0]), 1.0):
        return None
    x, first = inner
    chain, left = [first, call, total], {"x", "half"}
    while left:
        product = steps.after(chain[-1], "Mul")
        if product is None:
            return None
        factor = _other(product, chain[-1].outputs[0])
        half = steps.scaled(factor, 0.5)
        if "x" in left and factor == x:
            left.remove("x")
        elif "half" in left and steps.is_number(factor, 0.5):
            left.remove("half")
        elif len(left) == 2 and half is not None and half[0] == x:
            chain.insert(0, half[1])
            left.clear()
        else:
            return None
        chain.append(product)
    return _Match(tuple(chain), _layer("Gelu", chain[-1], (x,)))


def _norm(steps: _Steps, call: OnnxCall) -> _Match | None:
    """Match (x - mean) / sqrt(mean((x - mean)^2) + eps) * weight + bias, from its Sqrt on.

    Weight and bias may be absent; the axes have to be the last ones.
    """
    shifted = steps.giving(call.inputs[0], "Add") if _is(call, "Sqrt") else None
    quotient = steps.after(call, "Div") if shifted is not None else None
    if shifted is None or quotient is None or quotient.inputs[1] != call.outputs[0]:
        return None
    numbers = [name for name in shifted.inputs if steps.number(name) is not None]
    variance = steps.giving(_other(shifted, numbers[0]), "ReduceMean") if numbers else None
    square = None if variance is None else _square(steps, variance.inputs[0])
    centred = None if square is None else steps.giving(square.inputs[0], "Sub")
    mean = None if centred is None else steps.giving(centred.inputs[1], "ReduceMean")
    above = steps.giving(quotient.inputs[0], "Sub")
    if variance is None or square is None or centred is None or mean is None or above is None:
        return None
    x, axes = centred.inputs[0], steps.axes(mean)
    axis = _first_of_last(steps, x, axes)
    alike = mean.inputs[0] == x and above.inputs == centred.inputs and axes == steps.axes(variance)
    if axes is None or axis is None or not alike:
        return None
    chain = [mean, centred, above, square, variance, shifted, call, quotient]
    weight, bias = (_constant_after(steps, chain, kind, len(axes)) for kind in ("Mul", "Add"))
    inputs = (x, weight, bias) if bias else (x, weight) if weight else (x,)
    eps = steps.number(numbers[0])
    layer = _layer("LayerNormalization", chain[-1], inputs, axis=axis, epsilon=eps)
    return _Match(tuple(chain), layer)


def _square(steps: _Steps, name: str) -> OnnxCall | None:
    power, product = steps.giving(name, "Pow"), steps.giving(name, "Mul")
    if power is not None and steps.number(power.inputs[1]) == 2:
        return power
    return product if product is not None and product.inputs[0] == product.inputs[1] else None


def _first_of_last(steps: _Steps, x: str, axes: Sequence[int] | None) -> int | None:
    """Return the first of axes that are the last ones of x, or nothing where they are others."""
    if not axes:
        return None
    rank = 0 if axes[-1] < 0 else steps.rank(x)
    last = rank is not None and list(axes) == list(range(rank - len(axes), rank))
    return axes[0] if last else None


def _constant_after(steps: _Steps, chain: list[OnnxCall], operator: str, most_axes: int) -> str:
    """Return the constant that a pattern's result is combined with next, and lengthen it by that.

    Nothing where there is none, or one of more axes than are normalised.
    """
    call = steps.after(chain[-1], operator)
    name = "" if call is None else _other(call, chain[-1].outputs[0])
    values = steps.constant(name) if name else None
    if call is None or values is None or values.ndim > most_axes:
        return ""
    chain.append(call)
    return name


def _needed(
    calls: Sequence[OnnxCall], inner: set[str], outputs: Sequence[str]
) -> Iterator[OnnxCall]:
    """Yield the calls, but those inside patterns that nothing else reads."""
    read, gone = set(outputs), set()
    for call in reversed(calls):
        if call.outputs and call.outputs[0] in inner and not read.intersection(call.outputs):
            gone.add(call.outputs[0])
        else:
            read.update(call.inputs)
    yield from (call for call in calls if not call.outputs or call.outputs[0] not in gone)
