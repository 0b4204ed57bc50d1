"""inventory: what tells whether a video changed, so that DVC need not read every byte of them."""

import sys
from pathlib import Path

from eilev import paths
from eilev.io import write_json
from eilev.sources.video_files import take_inventory


# It runs at every `dvc repro`, so it imports little: it has no section and checks none.
def main() -> None:
    """Write data/inventory/ of the folder that the command line names."""
    try:
        write_json(take_inventory(Path(sys.argv[1])), paths.INVENTORY)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
