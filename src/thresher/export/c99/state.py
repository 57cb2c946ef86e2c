"""State: the one struct that a C file's run changes, and how many bytes it takes."""

from dataclasses import dataclass

import numpy as np

from thresher.export.c99.layout import BLOCK, Layout

ALIGNED = {"int8_t": 1, "uint8_t": 1, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "int64_t": 8}


@dataclass(frozen=True)
class Field:
    """A field of `shape` elements, one of them where it is (); in one schedule alone or both."""

    ctype: str
    name: str
    shape: tuple[int, ...] = ()
    asynchronous: bool = False

    @property
    def nbytes(self) -> int:
        return ALIGNED[self.ctype] * int(np.prod(self.shape, dtype=np.int64))

    @property
    def declaration(self) -> str:
        return f"{self.ctype} {self.name}{''.join(f'[{n}]' for n in self.shape)};"


def fields_of(layout: Layout, membrane: str, index: str) -> list[Field]:
    """List the fields, the widest first, so that nothing lies unused between them."""
    populations, output = layout.network.populations, layout.network.populations[-1].size
    fed = sum(populations[feed.target].size for feed in layout.feeds)
    fields = [
        Field(membrane, "u", (layout.n_neurons,)),
        Field(membrane, "fed", (fed,)),
        *(Field(membrane, name, (output,)) for name in ("counts", "base", "output")),
        Field("int32_t", "allowed", (layout.n_neurons,), asynchronous=True),
        Field("int32_t", "due", (layout.n_neurons // BLOCK,), asynchronous=True),
        Field("uint32_t", "written", (len(populations),)),
        Field("uint32_t", "begin", (len(populations), layout.longest_delay + 1)),
        Field("int32_t", "tick"),
        Field(index, "spikes", (layout.n_spikes,)),
        Field("uint8_t", "evidence"),
        Field("uint8_t", "reached"),
    ]
    if layout.graded:
        fields += [
            Field("int32_t", "n", (layout.n_neurons,)),
            Field("int32_t", "arrived", (max(layout.n_arrived, 1),)),
            Field("int8_t", "payloads", (layout.n_spikes,)),
        ]
    return sorted(fields, key=lambda field: -ALIGNED[field.ctype])


def nbytes_of(fields: list[Field], *, asynchronous: bool) -> int:
    """Return the size of the struct in one schedule, padding at its end included."""
    kept = [field for field in fields if asynchronous or not field.asynchronous]
    widest = max(ALIGNED[field.ctype] for field in kept)
    return -(-sum(field.nbytes for field in kept) // widest) * widest


def struct_of(fields: list[Field], name: str, guard: str) -> list[str]:
    """Write the struct as C; the fields of one schedule stand under the macro `guard`."""
    lines = ["static struct {"]
    for field in fields:
        declaration = f"    {field.declaration}"
        guarded = [f"#if {guard}", declaration, "#endif"]
        lines += guarded if field.asynchronous else [declaration]
    return [*lines, f"}} {name};"]
