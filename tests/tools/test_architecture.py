"""The pictures and paragraphs about the rooms are those that the code gives."""

import doctest
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tools import architecture, layout, markers, rooms
from tools.draw_flow import read_flow
from tools.layout import lay_out
from tools.rooms import Plan, read_plan

ROOT = Path(__file__).parents[2]
WRITTEN = architecture.render(ROOT)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return read_plan(ROOT)


@pytest.mark.parametrize("path", WRITTEN, ids=str)
def test_the_committed_file_is_what_the_code_gives(path: Path) -> None:
    assert (ROOT / path).read_text() == WRITTEN[path], "run make docs"


def test_another_process_draws_the_same_bytes() -> None:
    """Sets have another order in every process."""
    code = (
        "from pathlib import Path; from hashlib import md5; from tools.architecture import render;"
        "print(md5(''.join(render(Path()).values()).encode(), usedforsecurity=False).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_worked_examples() -> None:
    assert doctest.testmod(rooms).failed == doctest.testmod(markers).failed == 0
    assert doctest.testmod(layout).failed == 0


def test_the_rooms_say_what_they_are(plan: Plan) -> None:
    assert {"flows", "eilev.model", "eilev.io"} <= {room.module for room in plan.rooms}
    assert [room.module for room in plan.rooms if not room.text] == []
    known = {room.name: room for room in plan.rooms}
    assert known["bundle"].library == "onnxruntime"
    assert known["model"].has_torch
    assert not known["serving"].has_torch


def test_arrows_point_down_and_the_three_rules_show(plan: Plan) -> None:
    row = {room.module: number for number, layer in enumerate(plan.layers) for room in layer}
    assert all(row[start] < row[end] for start, end in plan.imports)
    assert ("eilev.training", "eilev.episodes") not in plan.imports
    assert {end for start, end in plan.imports if start == "eilev.serving"} == {
        "eilev.bundle",
        "eilev.clips",
        "eilev.inputs",
        "eilev.lifetime",
        "eilev.traffic",
    }


def test_a_room_without_a_layer_is_named(tmp_path: Path) -> None:
    text = (ROOT / "pyproject.toml").read_text().replace('    "eilev.language",\n', "")
    (tmp_path / "pyproject.toml").write_text(text)
    for folder in ("eilev", "flows"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    with pytest.raises(ValueError, match=r"has no layer for eilev\.language"):
        read_plan(tmp_path)


def test_boxes_of_a_layer_keep_apart_and_straight_arrows_stay_straight() -> None:
    placed = lay_out(
        [["a", "b"], ["c", "d", "e"], ["f"]], [("a", "d"), ("a", "f"), ("b", "c")], 100, 10
    )
    for layer in (["a", "b"], ["c", "d", "e"]):
        middles = sorted(placed.middle[name] for name in layer)
        assert all(right - left >= 110 - 1e-9 for left, right in pairwise(middles))
    assert min(placed.middle.values()) == pytest.approx(50)
    assert len(placed.routes["a", "f"]) == 3
    # b stands over c: the two arrows of a and b do not cross.
    assert (placed.middle["a"] < placed.middle["b"]) == (placed.middle["d"] < placed.middle["c"])


def test_every_stage_and_what_it_writes_is_in_the_flow() -> None:
    stages, data = read_flow(ROOT)
    assert stages[0] == "synthesize"
    assert {item.writer for item in data} == set(stages)
    readers = {item.path: item.readers for item in data}
    assert readers["data/raw/synthetic"] == ("ingest", "clips")
    assert readers["data/export/bundle"] == ()


@pytest.mark.parametrize("path", [architecture.ROOMS, architecture.FLOW], ids=str)
def test_the_pictures_are_svg(path: Path) -> None:
    root = ElementTree.fromstring(WRITTEN[path])  # noqa: S314  (our own)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


def test_a_page_without_the_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="no line '<!-- rooms -->'"):
        markers.between("# Architecture\n", "rooms", "text")
