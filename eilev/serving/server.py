"""The application as a process: it takes the port, loads the models, answers until told to stop."""

import asyncio
import signal
import socket
from collections.abc import Coroutine
from typing import Any

import uvicorn
from fastapi import FastAPI

from eilev.io import DataError
from eilev.serving.answering import Answering
from eilev.serving.api import create_app
from eilev.serving.bank_folder import BankFolder
from eilev.serving.connections import closed_after
from eilev.serving.decoding import DecoderPool
from eilev.serving.fetching import Fetcher
from eilev.serving.logs import LOG, log_config
from eilev.serving.models import Models
from eilev.serving.request_log import RequestLog
from eilev.serving.settings import MIB, Settings

# Longer than clients (httpx: 5 s) and balancers (60 s) keep a connection that is not used: were it
# closed here first, the next request might be under way on it.
_KEEP_ALIVE_S = 75


def prepare(settings: Settings, decoders: DecoderPool) -> Coroutine[Any, Any, None]:
    """Take the port and load everything; what is returned listens and answers.

    Raises:
        OSError, DataError, ValueError: as `eilev.serving.starting.serve`.
    """
    folders = settings.bundles()
    fetcher = Fetcher(settings.fetching)
    listener = _bind(settings.host, settings.port)
    bank = None
    if settings.bank is not None:
        bank = BankFolder(settings.bank, decoders, settings.bank_mib * MIB)
    request_log = _request_log(settings)
    models = Models(folders, settings, bank)
    answering = Answering(
        decoders,
        fetcher,
        settings.limits,
        settings.max_requests,
        settings.answer_timeout_s,
        request_log,
    )
    app = create_app(models, answering, settings)
    decoders.warm_up()
    return _run(settings, models, app, listener)


async def _run(settings: Settings, models: Models, app: FastAPI, listener: socket.socket) -> None:
    loads = _Loads(models)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, loads.begin)
    config = uvicorn.Config(
        app,
        http=closed_after(settings.body_timeout_s),
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.drain_s,
        log_config=log_config(settings.log_format == "json", settings.log_level.upper()),
        access_log=False,
    )
    await uvicorn.Server(config).serve(sockets=[listener])


def _request_log(settings: Settings) -> RequestLog | None:
    if settings.request_log is None:
        return None
    bounds = settings.request_log_mib * MIB, settings.request_log_files
    return RequestLog(settings.request_log, settings.request_log_reference, *bounds)


class _Loads:
    """Reads all bundles again when told to; what can't be loaded leaves the earlier model."""

    def __init__(self, models: Models):
        self._models = models
        self._running: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Start to, beside the requests."""
        task = asyncio.get_running_loop().create_task(self._load())
        self._running.add(task)  # the event loop itself does not keep it
        task.add_done_callback(self._running.discard)

    async def _load(self) -> None:
        for name in self._models.loaded:
            try:
                await self._models.reload(name)
                LOG.info("loaded '%s' again", name)
            except DataError as error:
                LOG.error("'%s': the earlier model stays: %s", name, error)


def _bind(host: str, port: int) -> socket.socket:
    """Take the port before anything is loaded, without listening yet."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        message = f"can't listen on {host}:{port} ({error}); choose another with --port"
        raise OSError(message) from error
    return listener
