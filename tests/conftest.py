"""Fixtures that several folders of tests use."""

import io
import os
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

# First of all: Prefect configures logging when it is imported, which closes everybody's handlers;
# absl's (a dependency of rouge_score) takes the stream with it that pytest captures.
import prefect.main  # noqa: F401
import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from eilev.bundle.onnx_engine import OnnxEngine
    from eilev.episodes.facts import ClipFacts
    from tests.worlds import World

ROOT = Path(__file__).parent.parent
# Folders of the files that take longest. What pytest-xdist would begin with are those with most
# tests: a file of few, which start servers and train, would then be alone at the end.
LONG = ("pipeline", "flows", "training", "bundle", "validation", "model", "tracking", "commands")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest where several processes share them out."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_begins)  # files stay whole, as sorting is stable


def _begins(item: pytest.Item) -> int:
    folder = item.path.parent.name
    return LONG.index(folder) if folder in LONG else len(LONG)


@pytest.fixture(scope="session")
def reference() -> Path:
    """Golden cases of the published implementation, opt and t5."""
    return ROOT / "tests/reference"


@pytest.fixture(scope="session")
def epic_kitchens() -> Path:
    """The real EPIC-KITCHENS-100 annotations, which their licence (CC BY-NC) keeps out of here."""
    folder = ROOT.parent / "shared/fixtures/epic-kitchens-100"
    if not folder.is_dir():
        pytest.skip(f"needs the EPIC-KITCHENS-100 annotations (CC BY-NC) in {folder}")
    return folder


@pytest.fixture(scope="session")
def world() -> "World":
    """A narration table to draw, measure and check; none may change it."""
    from tests.worlds import make_world

    return make_world(600)


@pytest.fixture(scope="session")
def facts(world: "World") -> "ClipFacts":
    """What is known of its narrations."""
    return world.facts


# Makes a folder of this name by the function, which fills it, and says where it is.
MakeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Makes folders that take long, once for all processes of pytest; none may change them."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder, partial = root / name, root / f"{name}.partial"
        with FileLock(root / f"{name}.lock"):
            if not folder.exists():
                partial.mkdir()
                fill(partial)
                partial.rename(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_llama(make_once: MakeOnce) -> Path:
    """The folder of a tiny random language model of Llama's kind (tests/tiny_llama.py)."""
    from tests.tiny_llama import write_tiny_llama  # torch: only where it is asked for

    return make_once("llama", write_tiny_llama)


@pytest.fixture(scope="session")
def tiny_bundle(make_once: MakeOnce) -> Path:
    """An exported bundle of a tiny random model (tests/tiny.py); copy it before changing it."""
    from tests.tiny import tiny_model, write_tiny_bundle  # torch: only where it is asked for

    return make_once("tiny-bundle", lambda folder: write_tiny_bundle(folder, tiny_model()))


@pytest.fixture(scope="session")
def llama_bundle(tiny_llama: Path, make_once: MakeOnce) -> Path:
    """The exported bundle of a tiny BLIP-2 around that language model, its weights beside it."""
    from tests.tiny import write_tiny_bundle
    from tests.tiny_llama import tiny_llama_model

    def fill(folder: Path) -> None:
        write_tiny_bundle(folder, tiny_llama_model(tiny_llama), inline_bytes=0)

    return make_once("llama-bundle", fill)


@pytest.fixture(scope="session")
def t5_bundle(reference: Path, make_once: MakeOnce) -> Path:
    """The exported bundle of the golden cases' T5."""
    from eilev.model.checkpoint import load_model
    from tests.tiny import write_tiny_bundle

    def fill(folder: Path) -> None:
        loaded = load_model(reference / "t5")
        loaded.model.eval()
        write_tiny_bundle(folder, loaded)

    return make_once("t5-bundle", fill)


@pytest.fixture(scope="session")
def half_bundle(make_once: MakeOnce) -> tuple[Path, str]:
    """The tiny model in fp16 by `eilev export`, and what that prints."""
    from eilev.cli import main
    from eilev.model.checkpoint import save_model
    from tests.narrators import DEFAULTS
    from tests.tiny import tiny_model

    def fill(folder: Path) -> None:
        loaded, checkpoint, text = tiny_model(), folder / "checkpoint", io.StringIO()
        save_model(loaded.model, loaded.codec, loaded.preprocessing, checkpoint, DEFAULTS)
        given = [str(checkpoint), str(folder / "bundle"), "--precision", "fp16"]
        with redirect_stdout(text):
            main(["export", *given, "--max-new-tokens", "6"])
        (folder / "printed").write_text(text.getvalue())

    folder = make_once("half", fill)
    return folder / "bundle", (folder / "printed").read_text()


@pytest.fixture(scope="session")
def engine(tiny_bundle: Path) -> "OnnxEngine":
    from eilev.bundle.onnx_engine import OnnxEngine  # onnxruntime: only where it is asked for

    return OnnxEngine.load(tiny_bundle, num_threads=1)
