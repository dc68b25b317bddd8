"""Writes below a directory in every way that the shim knows, for the shim's own test."""

import ctypes
import os
import random
import sys
from pathlib import Path

FILES = [f"{folder}{name}" for folder in ("", "one/", "one/two/") for name in "abc"]


def main():
    """Do so many random things."""
    os.chdir(sys.argv[1])
    rng = random.Random(int(sys.argv[2]))
    Path("one/two").mkdir(parents=True)
    for _ in range(300):
        file, other = rng.sample(FILES, 2)
        act = rng.choice(ACTS)
        act(rng, file, other)


def _opened(file, flags=0):
    return os.open(file, os.O_RDWR | os.O_CREAT | flags, 0o600)


def _write(rng, file, other):
    flags = rng.choice([0, os.O_APPEND, os.O_TRUNC])
    fd = _opened(file, flags)
    os.write(fd, rng.randbytes(rng.randint(0, 2000)))
    # A second descriptor writes on where the first stopped.
    copy = os.dup(fd)
    os.writev(copy, [rng.randbytes(9), b"", rng.randbytes(600)])
    os.close(copy)
    os.close(fd)


def _write_at(rng, file, other):
    fd = _opened(file)
    os.pwrite(fd, rng.randbytes(rng.randint(0, 2000)), rng.randrange(5000))
    os.pwritev(fd, [rng.randbytes(9), rng.randbytes(600)], rng.randrange(5000))
    os.fdatasync(fd)
    os.close(fd)


def _resize(rng, file, other):
    fd = _opened(file)
    os.ftruncate(fd, rng.randrange(5000))
    os.posix_fallocate(fd, rng.randrange(3000), rng.randint(1, 3000))
    os.truncate(fd if rng.random() < 0.5 else file, rng.randrange(5000))
    os.fsync(fd)
    os.close(fd)


def _stream(rng, file, other):
    library = ctypes.CDLL(None)
    descriptor = library.creat(file.encode(), 0o600)
    library.write(descriptor, b"created", 7)
    os.close(descriptor)


def _name(rng, file, other):
    if not Path(file).exists():
        return
    if rng.random() < 0.3 and not Path(other).exists():
        os.link(file, other)
    elif rng.random() < 0.5:
        Path(file).unlink()
    else:
        Path(file).rename(other)


def _folder(rng, file, other):
    made = Path(f"folder-{rng.randrange(3)}")
    if made.is_dir():
        made.rmdir() if rng.random() < 0.5 else made.rename(f"one/{made}-{rng.random()}")
    else:
        made.mkdir()
    fd = os.open(".", os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


ACTS = [_write, _write, _write_at, _write_at, _resize, _stream, _name, _name, _folder]

if __name__ == "__main__":
    main()
