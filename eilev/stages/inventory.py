"""inventory: what tells whether a video changed, so that DVC need not read every byte of them."""

import sys

from eilev import paths
from eilev.config.section import ParamsError, read_params
from eilev.io import write_json
from eilev.sources.video_files import take_inventory


# It runs at every `dvc repro`, so it imports little: it has no section and checks none. It reads
# ingest.videos itself: on a command line, a shell would take the name apart.
def main() -> None:
    """Write data/inventory/ of the folder `ingest.videos`."""
    try:
        write_json(take_inventory(_videos()), paths.INVENTORY)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def _videos() -> str:
    ingest = read_params().get("ingest")
    videos = ingest.get("videos") if isinstance(ingest, dict) else None
    if not isinstance(videos, str):
        raise ParamsError("params.yaml: ingest.videos: must be the folder of the videos")
    return videos


if __name__ == "__main__":
    main()
