"""Op: what a node of the ANN computes. A new op is one class in one file of `ops/`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from numpy.typing import NDArray

from thresher.errors import GraphError, SpecError
from thresher.ir.fields import check_fields, rules_of
from thresher.ir.linear_map import LinearMap
from thresher.ir.tensor import Tensor
from thresher.registry import Registry

Shape = tuple[int, ...]
Array = NDArray[Any]


@dataclass(frozen=True)
class Op(ABC):
    """Describe one operation by its typed fields; shapes are without the batch axis.

    A field declared with `fields.ruled` is at once the spec file's key, its check, its JSON
    Schema and its documentation. Fields that hold a `Tensor` are the op's weights.
    """

    kind: ClassVar[str]
    least_inputs: ClassVar[int] = 1
    most_inputs: ClassVar[int | None] = 1
    can_spike: ClassVar[bool] = False
    """Whether the node is an activation, which a population of spiking neurons may stand for."""
    can_operate: ClassVar[bool] = False
    """Whether operator neurons may stand for the node, which follow its function of what has
    reached them."""
    homogeneous: ClassVar[bool] = False
    """Whether f(s x) = s f(x) for every s > 0."""

    def __post_init__(self) -> None:
        check_fields(self, f"op '{self.kind}'", GraphError)

    @abstractmethod
    def infer_shape(self, *shapes: Shape) -> Shape:
        """Return the output's shape; raise GraphError where the inputs' shapes do not fit."""

    @abstractmethod
    def evaluate(self, *x: Array) -> Array:
        """Compute the output (N, *shape) from inputs (N, *shape) in the inputs' precision."""

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...] | None:
        """Return one map for each input, whose sum is the op; None where it is not linear."""
        return None

    def to_windows(self, *shapes: Shape) -> LinearMap | None:
        """Return ones from each input to the outputs that are the largest of theirs; or None."""
        return None

    @classmethod
    def expect_inputs(cls, n: int) -> None:
        """Raise GraphError unless the op takes so many inputs."""
        least, most = cls.least_inputs, cls.most_inputs
        if n < least or (most is not None and n > most):
            wanted = str(least) if least == most else f"at least {least}"
            raise GraphError(f"op '{cls.kind}' takes {wanted} input(s), got {n}")

    @classmethod
    def is_linear(cls) -> bool:
        """Tell whether the op becomes synapses, without building its maps."""
        return cls.to_linear_maps is not Op.to_linear_maps

    def macs(self, *shapes: Shape) -> int:
        """Count the multiply-accumulates of one sample (PyTorch's convention: bias is free)."""
        return 0

    @classmethod
    @abstractmethod
    def example(cls) -> tuple["Op", tuple[Shape, ...]]:
        """Return an op with small random weights and the shapes of inputs that it takes."""

    @classmethod
    def tensor_shapes(cls, settings: Mapping[str, Any], *shapes: Shape) -> dict[str, Shape]:
        """Return the shape of each tensor field, from the other fields and the inputs' shapes.

        `settings` holds the fields that the spec gives, parsed. Raise GraphError with the field
        to add where they do not tell.
        """
        return {}

    @cached_property
    def tensors(self) -> Mapping[str, Tensor]:
        """Map the tensor fields that are set to their tensors."""
        fields = ((field.name, getattr(self, field.name)) for field, _ in rules_of(self))
        return {name: value for name, value in fields if isinstance(value, Tensor)}


OPS: Registry[type[Op]] = Registry("op", SpecError)


def register_op(op: type[Op]) -> type[Op]:
    """Register an op class under its `kind`; used as a decorator."""
    return OPS.register(op.kind, op)


def expect_axes(shape: Shape, axes: int, layout: str) -> None:
    """Raise GraphError unless a shape has so many axes."""
    if len(shape) != axes:
        raise GraphError(f"takes an input of shape {layout}, got {list(shape)}")


def expect_tensor(role: str, tensor: Tensor | None, shape: Shape, why: str) -> None:
    """Raise GraphError unless a weight has the shape that the fields and the input ask for."""
    if tensor is not None and tensor.shape != shape:
        raise GraphError(
            f"{role} '{tensor.name}' is {list(tensor.shape)}; expected {list(shape)}, since {why}"
        )
