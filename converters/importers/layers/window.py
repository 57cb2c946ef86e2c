"""How kernels move: windows, their padding, the axes that they move along."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from thresher.converters.importers.builder import Value
from thresher.errors import GraphError
from thresher.ir.convolution import Axis

Sides = tuple[int, int]

LARGEST_FIELD = 2**20
"""What a kernel, stride, padding or dilation may be."""


@dataclass(frozen=True)
class Window:
    """How a kernel moves along the axes after the channels; one entry an axis each.

    `ceil` lets a last window start inside and hang over the far edge (PyTorch's `ceil_mode`).
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[Sides, ...]
    dilation: tuple[int, ...]
    ceil: bool = False

    def __post_init__(self) -> None:
        sizes = (*self.kernel, *self.stride, *self.dilation, *sum(self.padding, ()))
        if any(abs(size) > LARGEST_FIELD for size in sizes):
            raise GraphError(
                f"kernel, stride, padding or dilation holds {max(sizes, key=abs):,}; expected at "
                f"most {LARGEST_FIELD:,}"
            )
        if min(*self.kernel, *self.stride, *self.dilation) < 1:
            raise GraphError(
                f"has kernel {self.kernel}, stride {self.stride}, dilation {self.dilation}; "
                "expected 1 or more"
            )

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(map(Axis, self.kernel, self.stride, self.padding, self.dilation))

    def planar(self) -> "Window":
        """Return the window of an image of height 1, where there is one axis."""
        if len(self.kernel) == 2:
            return self
        return Window(
            (1, *self.kernel), (1, *self.stride), ((0, 0), *self.padding), (1, *self.dilation),
            self.ceil,
        )  # fmt: skip

    def overhang(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Return how far the last window reaches over the padding, along each axis."""
        extra = []
        for axis, n in zip(self.axes, sizes, strict=True):
            room = n + sum(axis.padding)
            windows = -((axis.reach - room) // axis.stride) + 1
            if (windows - 1) * axis.stride >= n + axis.padding[0]:
                windows -= 1
            extra.append(max(0, (windows - 1) * axis.stride + axis.reach - room))
        return tuple(extra) if self.ceil else (0,) * len(extra)

    def reaching(self, extra: Sequence[int], padding: Sequence[Sides]) -> "Window":
        """Return the window over another padding, which is longer by `extra` at the far ends."""
        longer = tuple(
            (before, after + more) for (before, after), more in zip(padding, extra, strict=True)
        )
        return replace(self, padding=longer, ceil=False)


def same_padding(window: Window, sizes: Sequence[int], upper: bool) -> tuple[Sides, ...]:
    """Return the padding that gives ceil(n / stride) windows; an odd one goes to the far end."""
    sides = []
    for axis, n in zip(window.axes, sizes, strict=True):
        total = max(0, (-(-n // axis.stride) - 1) * axis.stride + axis.reach - n)
        small, large = total // 2, total - total // 2
        sides.append((small, large) if upper else (large, small))
    return tuple(sides)


def expect_channels(x: Value, axes: Sequence[int]) -> int:
    """Return how many axes follow the channels; raise GraphError unless it is one of `axes`."""
    found = len(x.shape) - 1
    if found not in axes:
        layouts = {0: "(C,)", 1: "(C, L)", 2: "(C, H, W)", 3: "(C, D, H, W)"}
        wanted = " or ".join(layouts[n] for n in axes)
        raise GraphError(f"takes {wanted} after the batch axis, got {list(x.shape)}")
    return found


def without_negative(window: Window) -> tuple[Window, tuple[list[int], list[int]]]:
    """Return the window without negative padding, and what that cuts off before and after."""
    before = [max(0, -side[0]) for side in window.padding]
    after = [max(0, -side[1]) for side in window.padding]
    kept = tuple((max(0, a), max(0, z)) for a, z in window.padding)
    return replace(window, padding=kept), (before, after)
