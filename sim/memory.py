"""The memory that is to be had."""

import os
from pathlib import Path


def available_bytes() -> int:
    """Return the memory that a recording may take: half of what the system has available."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        sizes = dict(line.split(":", 1) for line in lines)
        return int(sizes["MemAvailable"].split()[0]) * 1024 // 2
    except (OSError, KeyError, ValueError):  # no Linux: all there is
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
