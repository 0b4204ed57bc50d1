"""inventory: what tells whether a video changed, so that DVC need not read every byte of them."""

import sys

from eilev import paths
from eilev.config.params import load_params
from eilev.io import write_json
from eilev.sources.video_files import take_inventory


# It runs at every `dvc repro`, before all others, so it checks all of params.yaml: DVC would not
# run a stage for a key that no stage has. It reads ingest.videos itself: on a command line, a shell
# would take the name apart.
def main() -> None:
    """Write data/inventory/ of the folder `ingest.videos`."""
    try:
        write_json(take_inventory(load_params().ingest.videos), paths.INVENTORY)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
