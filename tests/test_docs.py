"""What the pages and the comments point to is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = [file for name in ("eilev", "flows", "tools") for file in (ROOT / name).rglob("*.py")]

_LINK = re.compile(r"\]\((?!https?:)(?P<target>[^)\s]*)\)")
# A path in backticks; without them, one that begins with a folder of the repository.
_QUOTED = re.compile(r"`([\w.*/-]+/[\w.*-]*)`")
_BARE = re.compile(
    r"(?<![\w/.`-])((?:benchmarks|conf|docs|eilev|experiments|flows|tests|tools)/[\w.*/-]*[\w*/])"
)
# Files of these kinds are the repository's; a path to another one may be in somebody's data.
_OURS = (".py", ".md", ".toml", ".yaml", ".j2", ".svg")
_MADE = ("data/", "/", "~")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _headings(page: Path) -> set[str]:
    """Headings as GitHub writes them after a #."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def _paths(page: Path) -> Iterator[str]:
    """Quoted paths of the repository; a word in capitals stands for any name."""
    text = page.read_text()
    for path in sorted({*_QUOTED.findall(text), *_BARE.findall(text)}):
        first = path.split("/")[0]
        ours = any((folder / first).exists() for folder in (ROOT, ROOT / "eilev") if first)
        if not path.startswith(_MADE) and (ours or path.endswith(_OURS)):
            yield re.sub(r"[A-Z]{4,}(?=[/.]|$)", "*", path.removesuffix("/"))


def _is_there(pattern: str, page: Path) -> bool:
    folders = (ROOT, ROOT / "eilev", page.parent)
    return any(next(folder.glob(pattern), None) for folder in folders)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    for found in _LINK.finditer(page.read_text()):
        target, _, heading = found["target"].partition("#")
        file = page.parent / target if target else page
        assert file.exists(), found["target"]
        assert not heading or heading in _headings(file), found["target"]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_paths_exist(page: Path) -> None:
    assert [path for path in _paths(page) if not _is_there(path, page)] == []


def test_comments_name_sections_of_the_design() -> None:
    sections = set(re.findall(r"^## (\d+)\. ", (ROOT / "docs/design.md").read_text(), re.MULTILINE))
    texts = {_name(file): file.read_text() for file in CODE}
    named = [
        (name, found["number"])
        for name, text in texts.items()
        for found in re.finditer(r"docs/design\.md, section (?P<number>\d+)", text)
    ]
    assert len(named) > 10
    assert [place for place in named if place[1] not in sections] == []
    assert [name for name, text in texts.items() if "design section" in text] == []


def test_a_path_that_is_gone_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`eilev/data/a.py`, `conf/`, `data/x.csv`, `a/b.mp4`, `stages/NAME.py`, docs/no"
    )
    assert list(_paths(page)) == ["conf", "docs/no", "eilev/data/a.py", "stages/*.py"]
    gone = [path for path in _paths(page) if not _is_there(path, page)]
    assert gone == ["docs/no", "eilev/data/a.py"]
