"""A full disk and a clock that jumps: code to run first, in the process of a command."""

LIMIT = """
import errno, os
from tensorproof.lines.writing import LineFile
whole, room = LineFile.append, [{lines}]
class Full:
    def __init__(self, file): self.file = file
    def __getattr__(self, name): return getattr(self.file, name)
    def write(self, data):
        if len(data) > 5: return self.file.write(data[:5])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
def append(self, line):
    room[0] -= 1
    held = self._file
    if room[0] < 0 and (line["kind"] != "end" or not {closed}):
        self._file = Full(held)
    try:
        whole(self, line)
    finally:
        self._file = held
LineFile.append = append
"""
"""A disk that is full after some lines of a record, with or without room for the closing line."""
JUMPING = """
import itertools, time
steps, now = itertools.cycle((9e7, -9e7)), time.time
time.time = lambda: now() + next(steps)
"""
"""The day changes by a year at each look, forwards and backwards."""
