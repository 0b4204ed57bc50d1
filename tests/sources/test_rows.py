"""Rows and ids of any number: files without a name hold them."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from eilev import schema
from eilev.parquet import write_table, write_tables
from eilev.sources.rows import Row, Rows, UniqueIds

FULL = """
import resource, sys
from eilev import schema
from eilev.sources.rows import Rows, UniqueIds
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
with Rows(schema.REJECTS) as rows, UniqueIds() as ids:
    try:
        for number in range(int(sys.argv[2])):
            name = str(number) * 20
            ids.add(name) if sys.argv[1] == "ids" else rows.add((name, "v", None, "odd"))
        rows.table()
    except OSError as error:
        sys.exit(f"error: {error}")
"""

GROWTH = """
import re, sys
from pathlib import Path
from eilev.sources.annotations import Kept, collect
from eilev.sources.times import Timing
def own():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\\s+(\\d+)", status)[1]) * 1024
def rows():
    for i in range(160_001):
        if i in (60_000, 160_000):
            print(own())
        row = (f"{i:032x}", f"v{i // 250}", f"v{i // 250}.mp4", 1.5 * i, f"cuts onion {i}")
        yield Kept((*row, "cut", "onion", "cut", None), Timing(1.5 * i))
found = collect(rows(), lambda row: row)
print(found.kept.num_rows)
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def narration(number: int) -> Row:
    words = ("cut", "onion" if number % 3 else None, "cut", None)
    return (str(number), "v", "v.mp4", number / 7, f"cuts onion {number}", *words)


@pytest.mark.parametrize("num_rows", [0, 3, 50_000])
def test_rows_are_one_table_of_the_bytes_of_a_frame(num_rows: int, tmp_path: Path) -> None:
    with Rows(schema.NARRATIONS) as rows:
        for number in range(num_rows):
            rows.add(narration(number))
        table = rows.table()
    # It outlives what wrote it.
    table.validate(full=True)
    assert table.schema == schema.NARRATIONS
    assert [*zip(*table.to_pydict().values(), strict=True)] == [*map(narration, range(num_rows))]
    mapped, held = tmp_path / "mapped.parquet", tmp_path / "held.parquet"
    write_tables([table], schema.NARRATIONS, mapped)
    write_table(table.to_pandas(), schema.NARRATIONS, held)
    assert mapped.read_bytes() == held.read_bytes()


def test_ids_are_new_once() -> None:
    names = ["a", "A", "", "\u00e4", "a\u0308", "a\0b", "a ", "1", "01"]
    with UniqueIds() as ids:
        assert [ids.add(name) for name in names] == [True] * len(names)
        assert [ids.add(name) for name in names] == [False] * len(names)


# In the file's buffer, in a batch, in what SQLite holds no more.
@pytest.mark.parametrize(("what", "number"), [("rows", 100), ("rows", 30_000), ("ids", 60_000)])
def test_a_full_disk_is_named(what: str, number: int) -> None:
    done = run(FULL, what, str(number))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    told = "folder for temporary files" if what == "ids" else tempfile.gettempdir()
    assert line.startswith("error: ")
    assert told in line


def test_a_row_more_costs_next_to_no_memory() -> None:
    first, last, kept = map(int, run(GROWTH).stdout.split())
    assert kept == 160_001
    # Held as columns and a set of ids, one took 600 bytes.
    assert (last - first) / 100_000 < 100
