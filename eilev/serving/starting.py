"""From settings to a server that answers, in an order that has it ready soon."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from eilev.serving.decoding import DecoderPool, Decoding
from eilev.serving.settings import Settings


def serve(settings: Settings) -> None:
    """Answer requests until SIGINT or SIGTERM. It listens when everything has worked once.

    Raises:
        OSError: the port is taken, the file of certificates can't be read, or requests can't be
            noted.
        DataError: a bundle, the bank or the reference for notes can't be loaded.
        ValueError: two bundles have the same id, or a host is written in another form.
    """
    with _kept(), ExitStack() as failing:
        # They start while all the rest is imported and the models are loaded.
        decoders = DecoderPool(settings.num_decoders, Decoding(settings.limits))
        # Left alone, they would say on stderr that nobody listens to them.
        failing.callback(decoders.close)
        from eilev.serving.server import prepare

        server = prepare(settings, decoders)
        failing.pop_all()
    asyncio.run(server)


@contextmanager
def _kept() -> Iterator[None]:
    """What is made meanwhile lasts as long as the process: it is never searched for garbage.

    That is a fifth of the start, and would stop the event loop between requests for as long.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
