"""Ready examples of the server's page: the committed ones are those that the tool writes."""

from pathlib import Path

import numpy as np

from eilev.clips.limits import Limits
from eilev.serving.media import read_frames
from tools.examples import FOLDER, INDEX, main


def test_the_committed_examples_are_of_this_kitchen(tmp_path: Path) -> None:
    main(tmp_path)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted(path.name for path in FOLDER.iterdir())
    assert (tmp_path / INDEX).read_text() == (FOLDER / INDEX).read_text()
    for name in written:
        if name != INDEX:
            # Not byte by byte: another FFmpeg may write other files of the same pictures.
            new, old = (read_frames([each / name], 2, 32, Limits()) for each in (tmp_path, FOLDER))
            assert np.abs(new.astype(int) - old).mean() < 2, name
