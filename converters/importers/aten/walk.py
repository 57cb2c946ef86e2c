"""Walk over an exported PyTorch program: values, constants, and every refusal in one list."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from thresher.converters.importers.aten.program import Call, Program, Ref, Size
from thresher.converters.importers.builder import Array, GraphBuilder, Value
from thresher.converters.importers.layout import Placed
from thresher.errors import GraphError, SpecError
from thresher.ir import Graph, Tensor
from thresher.ir.op import Shape
from thresher.registry import Registry

Given = Value | Placed
Handler = Callable[["Here"], Given | Sequence[Given]]
Folder = Callable[["Here"], Array]


@dataclass(frozen=True)
class Here:
    """One call, and what the walk knows so far."""

    walk: "Walk"
    call: Call

    @property
    def b(self) -> GraphBuilder:
        return self.walk.builder

    @property
    def name(self) -> str:
        """The node's name: the layer's path, or the operator's under the path of its module."""
        module, operator = self.call.module, self.call.operator.strip("_")
        if self.call.is_layer:
            return module
        return f"{module}.{operator}" if module else operator

    @property
    def shape(self) -> Shape:
        """The result's shape without the batch axis, as PyTorch traced it."""
        return self.walk.shape(self.call.outputs[0])

    def get(self, name: str, default: object = None) -> object:
        """Return an argument that is no tensor; one that depends on the inputs is refused."""
        value = self.call.arguments.get(name, default)
        if isinstance(value, Ref):
            raise GraphError(f"'{name}' depends on the inputs; expected a constant")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        value = self.get(name, default)
        if not isinstance(value, (int, float)):
            raise GraphError(f"'{name}' is {value!r}; expected a number")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        return int(self.number(name, default))

    def ints(self, name: str, n: int, default: int | None = None) -> tuple[int, ...]:
        """Return one whole number for each of n axes, from a list of n, of one, or of none."""
        given = self.get(name)
        items = list(given) if isinstance(given, list) else [] if given is None else [given]
        if not items and default is not None:
            items = [default]
        whole = [item for item in items if isinstance(item, int)]
        if len(items) not in (1, n) or len(whole) < len(items):
            raise GraphError(f"'{name}' is {given!r}; expected {n} whole numbers")
        return tuple(whole * n if len(whole) == 1 else whole)

    def x(self, name: str = "self") -> Value:
        """Return the value that an argument refers to, which has the batch axis in front."""
        return self.placed(name).plain()

    def placed(self, name: str = "self") -> Placed:
        """Return the value that an argument refers to, wherever its batch axis is."""
        return self.walk.value(self._ref(name))

    def listed(self, name: str) -> list[Placed | Array]:
        """Return the values and the constants that an argument lists."""
        refs = cast(Sequence[Ref], self.call.arguments[name])
        known = self.walk.constants
        return [known[r.name][1] if r.name in known else self.walk.value(r) for r in refs]

    def traced(self, name: str = "") -> tuple[Size, ...]:
        """Return the traced sizes of a result, the first by default, with its batch axis."""
        return self.walk.traced(name or self.call.outputs[0])

    def is_constant(self, name: str) -> bool:
        """Tell whether an argument is a number or a constant tensor."""
        given = self.call.arguments.get(name)
        return not isinstance(given, Ref) or given.name in self.walk.constants

    def constant(self, name: str) -> Array | None:
        """Return a constant argument as an array; None where it is not given."""
        given = self.call.arguments.get(name)
        if given is None:
            return None
        if not isinstance(given, Ref):
            return np.asarray(given)
        if given.name not in self.walk.constants:
            raise GraphError(f"its {name} is computed from the inputs; expected a constant")
        return self.walk.constants[given.name][1]

    def array(self, name: str) -> Array:
        """Return a constant argument, which has to be there."""
        values = self.constant(name)
        if values is None:
            raise GraphError(f"has no {name}; expected a constant")
        return values

    def tensor(self, name: str) -> Tensor | None:
        """Return a constant argument as a tensor of the graph, under its own name."""
        values = self.constant(name)
        if values is None:
            return None
        own = self.walk.constants[self._ref(name).name][0]
        return self.b.tensor(own, values)

    def required(self, name: str) -> Tensor:
        found = self.tensor(name)
        if found is None:
            raise GraphError(f"has no {name}; expected one")
        return found

    def _ref(self, name: str) -> Ref:
        given = self.call.arguments.get(name)
        if not isinstance(given, Ref):
            raise GraphError(f"its {name} is {given!r}; expected a tensor")
        return given


class Walk:
    """Turn the calls of a program into nodes, in order.

    `handlers` make nodes; `folders` compute constants from constants. Both are by operator.
    """

    def __init__(
        self,
        program: Program,
        builder: GraphBuilder,
        handlers: Registry[Handler],
        folders: Mapping[str, Folder],
    ) -> None:
        self.builder = builder
        self.constants = dict(program.constants)
        self._program = program
        self._handlers = handlers
        self._folders = folders
        self.batch: Size = 0
        self._values: dict[str, Placed] = {}
        self._sizes: set[str] = set()

    def graph(self) -> Graph:
        """Return the graph.

        Raises
        ------
        UnsupportedError
            Where a part was refused; all that were are listed.
        SpecError
            Where the program is not one: its values are used before they are there.
        """
        self._read_inputs()
        for call in self._program.calls:
            try:
                self._take(call)
            except (GraphError, SpecError) as error:
                self._refuse(call, error)
            except (ValueError, TypeError, IndexError, KeyError, AttributeError,
                    ZeroDivisionError, OverflowError) as error:  # fmt: skip
                self._refuse(call, f"is not what ATen allows: {str(error)[:120]}")
        missing = [name for name in self._program.outputs if name not in self._values]
        if not self.builder.refusals and (missing or not self._program.outputs):
            raise SpecError(f"{self.builder.what}: an output does not depend on the input")
        outputs = [name for name in self._program.outputs if name in self._values]
        return self.builder.finish(
            [value for name in outputs if (value := self._output(name)) is not None]
        )

    def _output(self, name: str) -> Value | None:
        try:
            return self._values[name].plain()
        except GraphError as error:
            self.builder.refuse(f"'{name}'", "output", error)
            return None

    def value(self, ref: Ref) -> Placed:
        if ref.name in self._values:
            return self._values[ref.name]
        if ref.name in self.constants:
            raise GraphError(f"works on the constant '{self.constants[ref.name][0]}' alone")
        raise GraphError(f"reads '{ref.name}', which no call before it gives")

    def shape(self, name: str) -> Shape:
        """Return the traced shape of a value without its batch axis, which it must have."""
        sizes = self._program.shapes.get(name)
        if not sizes or sizes[0] != self.batch:
            first = "no axis" if not sizes else f"first axis {sizes[0]}"
            raise GraphError(
                f"gives {first}, where the batch of {self.batch} was; expected every value to "
                "keep the batch axis in front: write -1 for features, not for the batch"
            )
        rest = sizes[1:]
        if not all(isinstance(size, int) for size in rest):
            raise GraphError(f"gives {list(rest)}, which depends on the input's size")
        return cast(Shape, rest)

    def traced(self, name: str) -> tuple[Size, ...]:
        """Return the whole traced shape of a value."""
        return self._program.shapes[name]

    def _read_inputs(self) -> None:
        inputs = self._program.inputs
        if not inputs:
            raise SpecError(f"{self.builder.what} has no input")
        for name, sizes in inputs.items():
            if len(sizes) < 2:
                raise SpecError(
                    f"{self.builder.what}: input '{name}' is {list(sizes)}; expected a batch axis "
                    "and the axes of a sample after it"
                )
            self.batch = sizes[0]
            open_axes = [place for place, size in enumerate(sizes[1:], 1) if isinstance(size, str)]
            if open_axes:
                raise SpecError(
                    f"{self.builder.what}: input '{name}' leaves axes {open_axes} open; expected "
                    "the batch axis alone: export it with fixed sizes for the others"
                )
            self._values[name] = Placed(self.builder.input(name, self.shape(name)))

    def _take(self, call: Call) -> None:
        here = Here(self, call)
        if not call.outputs or not any(name in self._program.shapes for name in call.outputs):
            self._sizes.update(call.outputs)
            return  # sizes: the traced shapes tell them
        changed = self._program.shared_change(call)
        if changed:
            raise GraphError(
                f"works in place on '{changed}', which others read too; export what "
                "run_decompositions({}) makes of the program"
            )
        if self._is_constant(call):
            if call.operator not in self._folders:
                raise GraphError("computes a constant in a way that is not known here")
            folded = self._folders[call.operator](here)
            self.constants[call.outputs[0]] = (here.name, folded)
            return
        if call.operator not in self._handlers:
            raise GraphError("no op of a graph computes it")
        if call.outputs[0] in self._program.whole:
            raise GraphError("gives whole numbers or truth values; expected floats")
        found = self._handlers.get(call.operator)(here)
        results = [found] if isinstance(found, (Value, Placed)) else list(found)
        for name, value in zip(call.outputs, results, strict=False):
            self._values[name] = value if isinstance(value, Placed) else Placed(value)
        self._check_shapes(call)

    def _check_shapes(self, call: Call) -> None:
        """Hold what was built against what PyTorch traced."""
        for name in call.outputs:
            found = self._values.get(name)
            if found is None:
                continue
            expected = self.shape(name) if found.is_plain else self.traced(name)
            if not found.fits(self.traced(name), self.batch):
                raise GraphError(
                    f"would give {list(found.value.shape)} where PyTorch traced {list(expected)}"
                )

    def _is_constant(self, call: Call) -> bool:
        reads = [name for name in call.reads if name not in self._sizes]
        return all(name in self.constants for name in reads)

    def _refuse(self, call: Call, error: object) -> None:
        """Note a refusal, and stand in for the call's values, so that those after it are seen."""
        unseen = [ref for ref in call.arguments.values() if isinstance(ref, Ref)]
        if any(r.name not in self._values and r.name not in self.constants for r in unseen) and (
            self.builder.refusals
            and (call.operator in self._handlers or call.operator in self._folders)
        ):
            return  # what it reads was refused already
        self.builder.refuse(call.place, call.operator, error)
        for name in call.outputs:
            try:
                self._values[name] = Placed(Value(name, self.shape(name)))
            except GraphError:
                continue
