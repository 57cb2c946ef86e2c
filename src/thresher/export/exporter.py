"""Exporter: a target that networks are written for; the registry of targets."""

from collections.abc import Callable
from dataclasses import dataclass

from thresher.registry import Registry


@dataclass(frozen=True)
class Exporter:
    """Write a converted graph to a file of `suffix`, and return what is to be told of it, by line.

    `write` takes a graph, a path and, by name, what `takes` lists.
    """

    suffix: str
    write: Callable[..., tuple[str, ...]]
    takes: frozenset[str]


EXPORTERS: Registry[Exporter] = Registry("target")
