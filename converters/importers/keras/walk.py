"""Walk over a Keras model: values, the order of calls, and every refusal."""

from dataclasses import replace

from thresher.converters.importers.builder import GraphBuilder, Value
from thresher.converters.importers.keras.activation import activated
from thresher.converters.importers.keras.call import HANDLERS, Here, Item
from thresher.converters.importers.keras.config import KerasCall, KerasLayer, KerasModel, Place
from thresher.errors import GraphError, SpecError
from thresher.ir import Graph
from thresher.ir.op import Shape

KEEPING_SHAPE = frozenset({
    "Activation", "BatchNormalization", "ELU", "GroupNormalization", "LayerNormalization",
    "LeakyReLU", "Normalization", "PReLU", "ReLU", "Softmax", "SpectralNormalization",
    "UnitNormalization",
})  # fmt: skip
"""Layers that give what they read in the same shape, so that what reads them can be looked at."""
REASONS = {"Lambda": "holds code, which is never run; write it as layers"}


class KerasWalk:
    """Turn the layers of a file into a graph's nodes, as soon as what they read is there."""

    def __init__(self, model: KerasModel, builder: GraphBuilder, shape: Shape | None) -> None:
        self._model = model
        self._builder = builder
        self._shape = shape
        formats = {
            layer.config["data_format"]
            for layer in model.layers
            if layer.config.get("data_format") and layer.kind != "Flatten"
        }
        if len(formats) > 1:
            raise SpecError(
                f"{builder.what} mixes the data formats {', '.join(sorted(formats))}; expected one"
            )
        self._channels_last = formats != {"channels_first"}
        self._items: dict[Place, Item | None] = {}

    def graph(self) -> Graph:
        """Return the graph.

        Raises
        ------
        UnsupportedError
            Where a layer was refused; all that were are listed.
        SpecError
            Where layers read what is not there, or form a cycle.
        """
        self._expect_one_output()
        waiting = [
            (layer, number)
            for layer in self._model.layers
            for number in range(max(1, len(layer.calls)))
        ]
        while waiting:
            ready = [self._is_ready(*item) for item in waiting]
            if not any(ready):
                names = ", ".join(f"'{layer.name}'" for layer, _ in waiting[:8])
                raise SpecError(
                    f"{self._builder.what}: the layers {names} read what no layer gives, or form a "
                    "cycle"
                )
            now = [item for item, is_ready in zip(waiting, ready, strict=True) if is_ready]
            waiting = [item for item, is_ready in zip(waiting, ready, strict=True) if not is_ready]
            for layer, number in now:
                self._take(layer, number)
        ends = [self._items.get(place) for place in self._model.outputs]
        if not self._builder.refusals:
            if not ends or any(end is None for end in ends):
                raise SpecError(f"{self._builder.what}: an output is of no layer")
            if any(end is not None and end.order is not None for end in ends):
                self._builder.refuse(
                    "the output", "Flatten", "its values would be in another order"
                )
        return self._builder.finish([end.value for end in ends if end is not None])

    def _is_ready(self, layer: KerasLayer, number: int) -> bool:
        reads = layer.calls[number].reads if layer.calls else ()
        return all(place in self._items for place in reads)

    def _expect_one_output(self) -> None:
        for layer in self._model.layers:
            for name, _, output in (place for call in layer.calls for place in call.reads):
                if output:
                    raise SpecError(
                        f"{self._builder.what}: output {output} of layer '{name}' is read; "
                        "expected one output each"
                    )

    def _take(self, layer: KerasLayer, number: int) -> None:
        place = (layer.name, number, 0)
        self._items[place] = None
        try:
            if layer.kind == "InputLayer":
                self._items[place] = Item(self._input(layer))
                return
            call = layer.calls[number] if layer.calls else KerasCall((), (), {})
            read = [self._items[item] for item in call.reads]
            given = tuple(item for item in read if item is not None)
            if given and layer.kind in KEEPING_SHAPE:
                self._items[place] = given[0]  # stands in where the layer is refused
            if layer.kind not in HANDLERS:
                raise GraphError(REASONS.get(layer.kind, "no op of a graph computes it"))
            if len(given) < len(read):
                return  # what it reads was refused already
            if not given:
                raise GraphError("reads nothing")
            _expect_plain(call)
            here = Here(self._builder, layer, call, given, self._channels_last)
            found = HANDLERS.get(layer.kind)(here)
            here.expect_all_used()
            self._items[place] = found  # and here, where its activation is
            self._items[place] = activated(replace(here, inputs=(found,)))
        except (GraphError, SpecError) as error:
            if layer.kind == "InputLayer":
                raise SpecError(str(error)) from error
            self._builder.refuse(f"'{layer.name}'", layer.kind, error)
        except (ValueError, TypeError, IndexError, KeyError, AttributeError, ZeroDivisionError,
                OverflowError) as error:  # fmt: skip
            why = f"is not what Keras writes: {str(error)[:120]}"
            self._builder.refuse(f"'{layer.name}'", layer.kind, why)

    def _input(self, layer: KerasLayer) -> Value:
        sizes = layer.config.get("batch_shape") or layer.config.get("batch_input_shape")
        what = f"{self._builder.what}: input '{layer.name}'"
        if not sizes and self._shape is None:
            raise SpecError(f"{what} has no shape; give it with --shape C,H,W")
        sample = list(sizes[1:]) if sizes else list(self._last(self._shape or ()))
        ours = tuple([sample[-1], *sample[:-1]] if self._channels_last else sample)
        if self._shape is not None:
            fits = len(ours) == len(self._shape) and all(
                a in (None, z) for a, z in zip(ours, self._shape, strict=False)
            )
            if not fits:
                raise SpecError(f"{what} is {list(ours)}, channels first; --shape is {self._shape}")
            ours = self._shape
        if any(size is None for size in ours):
            raise SpecError(
                f"{what} leaves axes of {sample} open; give the shape, channels first and without "
                "the batch axis, with --shape C,H,W"
            )
        return self._builder.input(layer.name, ours)

    def _last(self, shape: Shape) -> Shape:
        return (*shape[1:], shape[0]) if self._channels_last else shape


def _expect_plain(call: KerasCall) -> None:
    """Raise GraphError where a call has arguments that change what the layer computes."""
    for name, value in call.options.items():
        if _says_something(value):
            raise GraphError(
                f"is called with {name}={value!r}; expected a call as in evaluation, without it"
            )


def _says_something(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_says_something, value.values()))
    if isinstance(value, list):
        return any(map(_says_something, value))
    return value is not None and value is not False
