"""How much memory this process may have at most."""

import os
import sys
from pathlib import Path

CONTAINER = Path("/sys/fs/cgroup/memory.max")  # of a container under Linux; "max" where there is no limit


def usable_memory() -> int:
    """Bytes: the machine's memory, or what a container or `ulimit -v` leaves of it.

    Where the system does not say (Windows), it is the largest size that an array can have.
    """
    found = [sys.maxsize]
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    try:
        import resource  # not in Windows

        found.append(resource.getrlimit(resource.RLIMIT_AS)[0])  # below 0: no limit
        found.append(int(CONTAINER.read_text()))
    except (ImportError, OSError, ValueError):
        pass
    return min(size for size in found if size > 0)


def check_room(size: int, what: str, advice: str) -> None:
    """Raises ValueError, before the work begins, if `what` takes more bytes than this process may have at most."""
    if size > (room := usable_memory()):
        raise ValueError(
            f"{what} takes at least {size / 2**30:,.3g} GiB of memory, and there are {room / 2**30:,.3g}: {advice}"
        )
