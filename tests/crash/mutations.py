"""Damage to the files of a closed store, told by a seed."""

import random
import shutil

PAGE = 4096
# Names that are not part of a store's content, or a few bytes of it, are hit this seldom.
SMALL_FILE = 0.05


def mutate(directory, donor, seed):
    """Damage one file of a directory; return what was done.

    ``donor`` is the directory of another store, from which files and pages are taken.
    """
    rng = random.Random(seed)
    file = _chosen(directory, rng)
    damage = rng.choice(DAMAGES)
    name = file.relative_to(directory)
    return f"{damage.__name__.strip('_')} {name}: {damage(file, donor / name, rng)}"


def _chosen(directory, rng):
    """Return mostly the largest file."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    largest = max(files, key=lambda path: path.stat().st_size)
    return rng.choice(files) if rng.random() < SMALL_FILE * len(files) else largest


def _position(content, rng):
    """Return a place, mostly among bytes that are not zero."""
    for _ in range(20):
        at = rng.randrange(len(content)) if content else 0
        if any(content[at - at % PAGE :][:PAGE]) or rng.random() < 0.05:
            break
    return at


def _page(content, rng):
    at = _position(content, rng)
    return at - at % PAGE


def _rewritten(file, at, new):
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(new)
    return f"{len(new)} bytes at {at}"


def _bit_flips(file, _donor, rng):
    content = bytearray(file.read_bytes())
    places = [_position(content, rng) for _ in range(rng.choice([1, 1, 2, 8]))]
    for at in places if content else []:
        content[at] ^= 1 << rng.randrange(8)
    file.write_bytes(content)
    return f"at {places}"


def _truncation(file, _donor, rng):
    size = file.stat().st_size
    left = max(0, rng.choice([size - 1, size // 2, size - PAGE, rng.randrange(size + 1)]))
    with file.open("r+b") as opened:
        opened.truncate(left)
    return f"{left} of {size} bytes left"


def _zeroed_page(file, _donor, rng):
    content = file.read_bytes()
    at = _page(content, rng)
    return _rewritten(file, at, bytes(len(content[at : at + PAGE])))


def _zeroed_range(file, _donor, rng):
    content = file.read_bytes()
    at = _position(content, rng)
    return _rewritten(file, at, bytes(len(content[at : at + rng.randint(1, 20_000)])))


def _garbage_page(file, _donor, rng):
    content = file.read_bytes()
    at = _page(content, rng)
    return _rewritten(file, at, rng.randbytes(len(content[at : at + PAGE])))


def _garbage_bytes(file, _donor, rng):
    content = file.read_bytes()
    at = _position(content, rng)
    return _rewritten(file, at, rng.randbytes(len(content[at : at + rng.randint(1, 16)])))


def _swapped_pages(file, _donor, rng):
    content = file.read_bytes()
    first, second = _page(content, rng), _page(content, rng)
    one, other = content[first:][:PAGE], content[second:][:PAGE]
    if len(one) == len(other):
        _rewritten(file, first, other)
        _rewritten(file, second, one)
    return f"{first} and {second}"


def _doubled_page(file, _donor, rng):
    content = file.read_bytes()
    source, at = _page(content, rng), _page(content, rng)
    return f"{_rewritten(file, at, content[source:][:PAGE])} from {source}"


def _page_of_another(file, donor, rng):
    content = donor.read_bytes() if donor.is_file() else b""
    at = _page(content, rng)
    return _rewritten(file, at, content[at:][:PAGE])


def _file_of_another(file, donor, _rng):
    if not donor.is_file():
        return "has none"
    shutil.copyfile(donor, file)
    return f"{file.stat().st_size} bytes"


def _missing(file, _donor, _rng):
    file.unlink()
    return "removed"


def _emptied(file, _donor, _rng):
    file.write_bytes(b"")
    return "no bytes left"


def _extended(file, _donor, rng):
    size = rng.choice([1, 100, PAGE, 1 << 20])
    with file.open("ab") as opened:
        opened.write(rng.choice([bytes(size), rng.randbytes(size)]))
    return f"{size} bytes more"


# What hits a page in the middle comes more often than what any opening notices.
DAMAGES = (
    *(_bit_flips, _bit_flips, _bit_flips, _zeroed_page, _zeroed_page, _zeroed_range),
    *(_garbage_page, _garbage_page, _garbage_bytes, _swapped_pages, _doubled_page),
    *(_page_of_another, _truncation, _file_of_another, _missing, _emptied, _extended),
)
