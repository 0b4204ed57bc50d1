"""EILeV: in-context learning on videos, as a pipeline.

`from eilev import Narrator` is the way in for users; it is imported when it is asked for.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eilev.narrator import Narrator

__all__ = ["Narrator"]

# OpenMP reads this when torch is imported, which is after this package. Threads that spin while
# they wait for one another crawl as soon as another process wants a core (docs/log.md).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def __getattr__(name: str) -> Any:
    # Every stage imports this package, and few of them need what a narrator does.
    if name == "Narrator":
        from eilev.narrator import Narrator

        return Narrator
    raise AttributeError(f"module 'eilev' has no attribute '{name}'")
