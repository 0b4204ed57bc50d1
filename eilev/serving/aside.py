"""Python's own work on a request, away from the event loop.

One thread does all of it. Python computes in one thread at a time, so several would not be faster;
the event loop would wait for its turn behind each of them.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")

_THREAD = ThreadPoolExecutor(1, "aside")


async def aside(work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """What a function returns; it is never called where nobody waits any more before its turn."""
    future = _THREAD.submit(work, *args, **kwargs)
    return await asyncio.wrap_future(future)
