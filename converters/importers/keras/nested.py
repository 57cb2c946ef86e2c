"""Models that are layers of other models, put in the layers' places."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from thresher.converters.importers.builder import MOST_NODES
from thresher.converters.importers.keras.config import KerasCall, KerasLayer, KerasModel, Place
from thresher.errors import SpecError


def flattened(model: KerasModel) -> KerasModel:
    """Return a model whose layers are no models; layer `conv` of layer `base` is `base.conv`.

    What is called twice has its layers called twice, with the same weights.

    Raises
    ------
    SpecError
        Where two layers have one name, a second output of a plain layer is read, or the calls are
        too many.
    """
    _expect_names(model.layers)
    inner = {layer.name: _Inner.of(layer, model) for layer in model.layers if layer.model}
    if not inner:
        return model

    def outer(place: Place) -> Place:
        found = inner.get(place[0])
        return place if found is None else found.output(place, outer)

    layers: list[KerasLayer] = []
    for layer in model.layers:
        found = inner.get(layer.name)
        layers += [_moved(layer, outer)] if found is None else found.layers(outer)
    _expect_names(layers)
    return KerasModel(tuple(layers), model.inputs, tuple(map(outer, model.outputs)))


@dataclass(frozen=True)
class _Inner:
    """A flat model as a layer; its calls are counted from `first` (Keras may keep one for it)."""

    name: str
    model: KerasModel
    calls: tuple[KerasCall, ...]
    first: int
    counts: Mapping[str, int]
    """How often each of its layers is called within one call of the model."""

    @classmethod
    def of(cls, layer: KerasLayer, around: KerasModel) -> "_Inner":
        assert layer.model is not None
        model = flattened(layer.model)
        counts = {item.name: len(item.calls) for item in model.layers}
        if len(layer.calls) * sum(counts.values()) > MOST_NODES:
            raise SpecError(
                f"the model '{layer.name}' inside the model is called {len(layer.calls)} times, "
                f"and has {sum(counts.values()):,} calls of layers; expected at most {MOST_NODES:,}"
            )
        for call in layer.calls:
            if len(call.reads) != len(model.inputs):
                raise SpecError(
                    f"the model '{layer.name}' inside the model has {len(model.inputs)} inputs, "
                    f"and is given {len(call.reads)}"
                )
        named = [place[1] for place in _read_in(around) if place[0] == layer.name]
        return cls(layer.name, model, layer.calls, min(named, default=0), counts)

    def layers(self, outer: Callable[[Place], Place]) -> list[KerasLayer]:
        """Return its layers with the calls of each call of the model, under its name."""

        def called(call: KerasCall, number: int) -> KerasCall:
            reads = tuple(self._place(read, number, outer) for read in call.reads)
            return replace(
                call, reads=reads, options={**self.calls[number].options, **call.options}
            )

        def moved(layer: KerasLayer) -> KerasLayer:
            numbers = range(len(self.calls))
            calls = tuple(called(call, number) for number in numbers for call in layer.calls)
            return replace(layer, name=f"{self.name}.{layer.name}", calls=calls)

        return [moved(layer) for layer in self.model.layers if layer.name not in self.model.inputs]

    def output(self, place: Place, outer: Callable[[Place], Place]) -> Place:
        """Return the place of what a call of the model gives."""
        _, number, output = place
        return self._place(self.model.outputs[output], number - self.first, outer)

    def _place(self, place: Place, number: int, outer: Callable[[Place], Place]) -> Place:
        """Return what a place inside is in one call of the model."""
        name, call, output = place
        if name in self.model.inputs:
            return outer(self.calls[number].reads[self.model.inputs.index(name)])
        return f"{self.name}.{name}", number * self.counts[name] + call, output


def _moved(layer: KerasLayer, outer: Callable[[Place], Place]) -> KerasLayer:
    calls = (replace(call, reads=tuple(map(outer, call.reads))) for call in layer.calls)
    return replace(layer, calls=tuple(calls))


def _read_in(model: KerasModel) -> Iterable[Place]:
    yield from model.outputs
    for layer in model.layers:
        for call in layer.calls:
            yield from call.reads


def _expect_names(layers: Sequence[KerasLayer]) -> None:
    counts = Counter(layer.name for layer in layers)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise SpecError(f"two layers are called '{twice[0]}'; expected a name for each")
