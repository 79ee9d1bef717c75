"""How a long-lived server treats its memory: what the collector looks at, and what is given back to the system.

Both are about requests of 1 MB, which agents send: decoding one makes some thousand short-lived objects and a handful
of large blocks. Figures: `docs/performance.md`.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Final

_MIB: Final = 1024 * 1024
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
"""Names and numbers of glibc's <malloc.h>."""
_KEPT_BYTES: Final = 32 * _MIB
_LARGE_BLOCK_BYTES: Final = 8 * _MIB


def settle_memory() -> None:
    """To be called once, when everything that lives as long as the process has been built.

    The collector no longer looks at what is there already, and looks less often at what comes: at its default threshold
    of 700 objects it took 5 % of the time of a large request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    _keep_blocks()


def _keep_blocks() -> None:
    """Let glibc hold on to freed blocks: by default it gives each megabyte back and asks for it again, with a page
    fault for every 4 KiB, which took a quarter of the time of a large request. At most 32 MiB more stay resident."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
