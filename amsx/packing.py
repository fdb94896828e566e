"""How much more memory a file may ask for than it takes on disk, so that no small file fills the memory.

Features compress by a factor of 2 to 20, those that are mostly zero by more. A file that asks for more than `MOST`
times its bytes was made to fill the memory, or is broken.
"""

MOST = 200  # bytes in memory for each byte in a file
FREE = 64 << 20  # bytes that any file may ask for


def check_unpacked(where: object, needed: int, stored: int) -> None:
    """ValueError, which begins with `where`, where `stored` bytes of a file would become too many bytes in memory."""
    if needed > max(FREE, MOST * stored):
        raise ValueError(
            f"{where}: {stored} bytes that would become {needed} in memory, more than {MOST} times as many; expected "
            "features, which do not compress like that (written again without compression they are read)"
        )
