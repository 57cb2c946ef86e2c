"""Threads over samples, with the linear algebra library kept to one thread in each."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

S = TypeVar("S")
T = TypeVar("T")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS to one thread: its own would wait for each other beside threads over samples."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


def map_in_threads(function: Callable[[S], T], items: Iterable[S]) -> list[T]:
    """Apply a function to every item, one thread a processor, and keep the order."""
    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, items))


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
