"""Threads over samples, with the linear algebra library kept to one thread in each."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

S = TypeVar("S")
T = TypeVar("T")

AHEAD = 4
"""Items a thread that may wait for it, or for their turn."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS to one thread: its own would wait for each other beside threads over samples."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


def map_in_threads(
    function: Callable[[S], T], items: Iterable[S], threads: int | None = None
) -> Iterator[T]:
    """Apply a function to items as they come and yield the results in order.

    By default there is one thread a processor. Few items are taken before their turn, so that
    memory holds few items and results, however many there are.
    """
    n = threads or os.cpu_count() or 1
    waiting: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(n)
    try:
        with one_blas_thread():
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > AHEAD * n:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
