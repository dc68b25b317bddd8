"""Seal a damaged directory again, so that what lies behind the seal has to notice by itself."""

BLOCK = 1 << 20
SEAL = "SEAL"


def _table():
    for entry in range(256):
        for _ in range(8):
            entry = entry >> 1 ^ (0x82F63B78 if entry & 1 else 0)  # noqa: PLW2901
        yield entry


TABLE = tuple(_table())


def crc32c(data, start=0):
    """Return the checksum that the store uses."""
    checksum = start ^ 0xFFFFFFFF
    for byte in data:
        checksum = checksum >> 8 ^ TABLE[(checksum ^ byte) & 0xFF]
    return checksum ^ 0xFFFFFFFF


def reseal(directory, engine):
    """Make the seal fit the engine's files."""
    path = directory / SEAL
    if not path.exists() or path.stat().st_size != 64:
        return
    length, checksum = _digest(directory / f"store.{engine}")
    seal = bytearray(path.read_bytes()[:60])
    seal[40:52] = length.to_bytes(8, "little") + checksum.to_bytes(4, "little")
    path.write_bytes(seal + crc32c(seal).to_bytes(4, "little"))


def _digest(data):
    files = sorted(path for path in data.rglob("*") if path.is_file()) or [data]
    length, checksum = 0, 0
    for file in (file for file in files if file.exists()):
        name = "" if file == data else str(file.relative_to(data))
        content = file.read_bytes()
        blocks = [content[at : at + BLOCK] for at in range(0, len(content), BLOCK)]
        sums = b"".join(crc32c(block).to_bytes(4, "little") for block in blocks)
        parts = [name.encode(), len(content).to_bytes(8, "little")]
        for part in (*parts, crc32c(sums).to_bytes(4, "little")):
            checksum = crc32c(part, checksum)
        length += len(content)
    return length, checksum


def release(directory):
    """Do what the errors name as the way out: leave the seal empty."""
    (directory / SEAL).write_bytes(b"")
