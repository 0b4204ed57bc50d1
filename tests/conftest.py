"""Fixtures that several folders of tests use."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with the golden cases, which are not part of the repository."""
    folder = ROOT.parent / "shared"
    if not (folder / "fixtures").is_dir():
        pytest.skip(f"golden cases not found: {folder}/fixtures is absent")
    return folder
