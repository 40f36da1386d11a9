"""Whether an error means that the disk is full: then no other cell can be run either."""

from __future__ import annotations

import errno

NO_ROOM = "there is no room left on the disk"

_SAYINGS = (NO_ROOM, "No space left on device", "database or disk is full", "Disk quota exceeded")


def is_out_of_room(error: BaseException) -> bool:
    """Whether the error, or one that it comes from, is that of a full disk; some libraries only say it in words."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if tells_of_no_room(str(seen)):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def tells_of_no_room(text: str) -> bool:
    """Whether the words of an error, which may have crossed from another process, are those of a full disk."""
    return any(saying in text for saying in _SAYINGS)
