"""What a stopped run of the clips stage has finished, for the next one to go on from.

Beside the folder of the clips lies `.NAME.partial/` while a run is under way: `clips/` becomes the
folder, and for each finished shard `clips-00000.json` says what it is made from, its checksum, and
the index up to its last clip, with the narrations that have no clip among them.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from eilev.io import DataError, atomic_file, read_json, replace_dir, sha256

# Shard and row, number of frames, who decoded them; or the reason why there are none.
Place = tuple[str | None, int | None, int, str | None, str | None]


class Unfinished:
    """The folder in which clips are written until all of them are there.

    Args:
        out_dir: where they belong.
        made_from: fingerprint of everything that the clips of rows START to END are made from.

    Attributes:
        folder: for shards and index.
        places: of the first rows of the table, which are finished.
        num_shards: finished shards.
    """

    def __init__(self, out_dir: Path, made_from: Callable[[int, int], str]) -> None:
        self._out_dir, self._made_from = out_dir, made_from
        self._root = out_dir.with_name(f".{out_dir.name}.partial")
        self.folder = self._root / "clips"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.places: list[Place] = []
        self.num_shards = 0
        while self._take_over():
            self.num_shards += 1
        self._drop_the_rest()

    def finish(self, shard: str, places: list[Place]) -> None:
        """Note that a shard is complete; `places` are of the rows since the one before."""
        start = len(self.places)
        self.places += places
        record = {
            "made_from": self._made_from(start, len(self.places)),
            "sha256": sha256(self.folder / shard),
            "places": places,
        }
        with atomic_file(self._record(shard)) as temporary:
            temporary.write_text(json.dumps(record))
        self.num_shards += 1

    def publish(self) -> None:
        """Put the folder in its place."""
        replace_dir(self.folder, self._out_dir)
        self.discard()

    def discard(self) -> None:
        """Forget what is finished."""
        shutil.rmtree(self._root, ignore_errors=True)

    def _take_over(self) -> bool:
        """Take the next shard over if it is whole and made from what is asked for now."""
        shard = shard_name(self.num_shards)
        try:
            record = read_json(self._record(shard))
            places: list[Place] = [tuple(place) for place in record["places"]]
            start, end = len(self.places), len(self.places) + len(places)
            whole = record["sha256"] == sha256(self.folder / shard)
            if not whole or record["made_from"] != self._made_from(start, end):
                return False
        except (DataError, OSError, KeyError, TypeError):
            return False
        self.places += places
        return True

    def _drop_the_rest(self) -> None:
        """Remove what an interrupted run left half done."""
        kept = {shard_name(number) for number in range(self.num_shards)}
        for path in self.folder.iterdir():
            if path.name not in kept:
                path.unlink()
        for path in self._root.glob("*.json"):
            if path.with_suffix(".arrow").name not in kept:
                path.unlink()

    def _record(self, shard: str) -> Path:
        return (self._root / shard).with_suffix(".json")


def shard_name(number: int) -> str:
    """File name of a shard.

    >>> shard_name(0)
    'clips-00000.arrow'
    """
    return f"clips-{number:05d}.arrow"
