"""The bundles that are served, by model id; any can be replaced while requests are answered."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from eilev.bundle.bank import Bank, BankFullError, Example
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.bundle.passes import Features
from eilev.bundle.rows import Rows
from eilev.serving.bank_folder import BankFolder
from eilev.serving.caches import Cache
from eilev.serving.protocol import ApiError
from eilev.serving.scheduler import Scheduler
from eilev.serving.settings import MIB, Settings


class Model:
    """An engine, the thread that runs it, its bank, and what is kept of earlier requests."""

    def __init__(self, engine: OnnxEngine, settings: Settings, bank: Bank):
        self.engine = engine
        # Of the whole manifest, so it is made once.
        self.fingerprint = engine.manifest.fingerprint
        self.bank = bank
        self._adding = asyncio.Lock()
        self.scheduler = Scheduler(engine, settings.batch_mib * MIB)
        # By the digest of a video, and by tokens and digests of a context.
        self.features = Cache[Features](
            settings.feature_cache_mib * MIB, lambda array: array.nbytes
        )
        self.contexts = Cache[Rows](settings.context_cache_mib * MIB, lambda rows: rows.num_bytes)
        self.retired = False
        self._num_users = 0
        self._num_added = 0

    @classmethod
    def load(cls, folder: Path, settings: Settings, bank: BankFolder | None = None) -> Self:
        """Load a bundle, and a bank as it sees it; its graphs have run once.

        Raises:
            BundleError: see OnnxEngine.load.
            BankError: see BankFolder.read.
        """
        engine = OnnxEngine.load(folder, settings.num_threads)
        engine.warm_up()
        if bank is not None:
            return cls(engine, settings, bank.read(engine))
        shape = engine.manifest.num_query_tokens, engine.manifest.hidden_size
        return cls(engine, settings, Bank.empty(settings.bank_mib * MIB, *shape))

    async def add_example(self, narration: str, features: Features) -> Example:
        """Take a narrated clip into the bank, which is copied for it: in a thread, one at a time.

        Raises:
            ApiError: 413, there is no room.
        """
        async with self._adding:
            self._num_added += 1
            example = Example(f"added {self._num_added}", narration)
            try:
                self.bank = await asyncio.to_thread(self.bank.extended, [example], features)
            except BankFullError as error:
                message = f"the bank is full: {error} (--bank-mib)"
                raise ApiError(413, message, code="bank_full") from error
        return example

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the engine running, though another one may have taken its place."""
        self._num_users += 1
        try:
            yield
        finally:
            self._num_users -= 1
            if self.retired and not self._num_users:
                self.scheduler.close()

    def retire(self) -> None:
        """End the engine's thread after the last request that uses it."""
        self.retired = True
        if not self._num_users:
            self.scheduler.close()


class Models:
    """Loaded from folders; only the event loop's thread replaces one."""

    def __init__(
        self, folders: Mapping[str, Path], settings: Settings, bank: BankFolder | None = None
    ):
        self._folders, self._settings, self._bank = folders, settings, bank
        self._loading = asyncio.Lock()
        # What is shown to requests that bring no example.
        self.examples = settings.examples
        self.loaded = {name: Model.load(path, settings, bank) for name, path in folders.items()}

    def __getitem__(self, model_id: str) -> Model:
        """Find a model.

        Raises:
            ApiError: 404.
        """
        if model_id not in self.loaded:
            names = ", ".join(f"'{name}'" for name in self.loaded)
            message = f"model '{model_id}' does not exist; this server has {names}"
            raise ApiError(404, message, param="model", code="model_not_found")
        return self.loaded[model_id]

    async def reload(self, model_id: str) -> None:
        """Read a model's folder and the bank again; until that has worked, the earlier one answers.

        Raises:
            ApiError: 404.
            DataError: what lies there can't be loaded; the earlier model stays.
        """
        earlier = self[model_id]
        async with self._loading:
            folder = self._folders[model_id]
            model = await asyncio.to_thread(Model.load, folder, self._settings, self._bank)
            self.loaded[model_id] = model
        earlier.retire()

    def close(self) -> None:
        """Let every model finish its requests and end."""
        for model in self.loaded.values():
            model.retire()
