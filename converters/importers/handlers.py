"""Handlers: the operators of a source that become nodes, each registered where it is written."""

from collections.abc import Callable
from typing import TypeVar

from thresher.registry import Registry

H = TypeVar("H")


class Handlers(Registry[H]):
    """Map operators of a source to what makes nodes of them.

    A new operator is one function, marked `@HANDLERS.of("Name")`, in the module of its family.
    """

    def of(self, *operators: str) -> Callable[[H], H]:
        """Return a decorator that registers a handler for operators."""

        def registered(handler: H) -> H:
            return self.add(handler, *operators)

        return registered

    def add(self, handler: H, *operators: str) -> H:
        """Register a handler for operators."""
        for operator in operators:
            self.register(operator, handler)
        return handler
