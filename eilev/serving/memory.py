"""Files in memory, which the processes that we start can read as well."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def files_in_memory(contents: Sequence[bytes]) -> Iterator[list[Path]]:
    """Files without names in any folder, while this lasts; they go with this process at the latest.

    Yields:
        Where they are, also for other processes of the same user.
    """
    with ExitStack() as stack:
        paths = []
        for content in contents:
            file = stack.enter_context(os.fdopen(os.memfd_create("video"), "wb"))
            file.write(content)
            file.flush()
            paths.append(Path(f"/proc/{os.getpid()}/fd/{file.fileno()}"))
        yield paths
