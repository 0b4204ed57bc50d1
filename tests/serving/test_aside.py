"""Python's own work is done beside the event loop, one piece of it at a time."""

import asyncio
import threading

import pytest

from eilev.serving.aside import aside


def test_it_is_done_in_one_other_thread():
    async def both():
        return await asyncio.gather(*(aside(threading.current_thread) for _ in range(8)))

    assert len({*asyncio.run(both())} - {threading.current_thread()}) == 1


def test_what_goes_wrong_is_told():
    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(aside(int, "onion"))


def test_what_nobody_waits_for_is_never_begun():
    begun, ended = threading.Event(), threading.Event()
    called = []

    def first():
        begun.set()
        ended.wait(30)

    async def give_up():
        running = asyncio.create_task(aside(first))
        await asyncio.to_thread(begun.wait, 30)
        waiting = asyncio.create_task(aside(called.append, 1))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        ended.set()
        await running
        return await aside(lambda: "the next one")

    assert asyncio.run(give_up()) == "the next one"
    assert not called
