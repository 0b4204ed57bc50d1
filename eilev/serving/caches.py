"""What is kept of earlier requests, bounded in bytes."""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from cachetools import LRUCache

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """The least recently used goes first. Any number of threads may share it."""

    def __init__(self, max_bytes: int, size_of: Callable[[Value], int]):
        self._values: LRUCache[Hashable, Value] = LRUCache(max_bytes, size_of)
        self._size_of = size_of
        self._lock = Lock()
        self.hits = 0
        self.misses = 0

    @property
    def num_bytes(self) -> int:
        """Of all that is kept."""
        return int(self._values.currsize)

    def get(self, key: Hashable) -> Value | None:
        """What was kept under a key, if it is still there."""
        with self._lock:
            value = self._values.get(key)
            self.hits += value is not None
            self.misses += value is None
        return value

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a value, unless it alone is larger than all that may be kept."""
        with self._lock:
            if self._size_of(value) <= self._values.maxsize:
                self._values[key] = value

    def peek(self, key: Hashable) -> Value | None:
        """What was kept under a key; it is not counted as a look-up."""
        with self._lock:
            return self._values.get(key)
