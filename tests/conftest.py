"""Fixtures that several folders of tests use."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

# First of all: Prefect configures logging when it is imported, which closes everybody's handlers;
# absl's (a dependency of rouge_score) takes the stream with it that pytest captures.
import prefect.main  # noqa: F401
import pytest

if TYPE_CHECKING:
    from eilev.bundle.onnx_engine import OnnxEngine

ROOT = Path(__file__).parent.parent


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
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random language model of Llama's kind (tests/tiny_llama.py)."""
    from tests.tiny_llama import write_tiny_llama  # torch: only where it is asked for

    folder = tmp_path_factory.mktemp("llama")
    write_tiny_llama(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported bundle of a tiny random model (tests/tiny.py); copy it before changing it."""
    from tests.tiny import tiny_model, write_tiny_bundle  # torch: only where it is asked for

    folder = tmp_path_factory.mktemp("tiny") / "bundle"
    folder.mkdir()
    write_tiny_bundle(folder, tiny_model())
    return folder


@pytest.fixture(scope="session")
def llama_bundle(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported bundle of a tiny BLIP-2 around that language model, its weights beside it."""
    from tests.tiny import write_tiny_bundle
    from tests.tiny_llama import tiny_llama_model

    folder = tmp_path_factory.mktemp("tiny-llama") / "bundle"
    folder.mkdir()
    write_tiny_bundle(folder, tiny_llama_model(tiny_llama), inline_bytes=0)
    return folder


@pytest.fixture(scope="session")
def t5_bundle(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported bundle of the golden cases' T5."""
    from eilev.model.checkpoint import load_model
    from tests.tiny import write_tiny_bundle

    folder = tmp_path_factory.mktemp("tiny-t5") / "bundle"
    folder.mkdir()
    loaded = load_model(reference / "t5")
    loaded.model.eval()
    write_tiny_bundle(folder, loaded)
    return folder


@pytest.fixture(scope="session")
def half_bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The tiny model in fp16 by `eilev export`, and what that prints."""
    from eilev.cli import main
    from eilev.model.checkpoint import save_model
    from tests.narrators import DEFAULTS
    from tests.tiny import tiny_model

    folder, loaded, text = tmp_path_factory.mktemp("half"), tiny_model(), io.StringIO()
    save_model(loaded.model, loaded.codec, loaded.preprocessing, folder / "checkpoint", DEFAULTS)
    given = [str(folder / "checkpoint"), str(folder / "bundle"), "--precision", "fp16"]
    with redirect_stdout(text):
        main(["export", *given, "--max-new-tokens", "6"])
    return folder / "bundle", text.getvalue()


@pytest.fixture(scope="session")
def engine(tiny_bundle: Path) -> "OnnxEngine":
    from eilev.bundle.onnx_engine import OnnxEngine  # onnxruntime: only where it is asked for

    return OnnxEngine.load(tiny_bundle, num_threads=1)
