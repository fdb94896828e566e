"""HDF5 files that hold many videos each, as ActivityNet's C3D features come: <id> or <id>/<name> -> (n, D)."""

from collections.abc import Callable, Sequence
from pathlib import Path

from amsx.data.arrays import choose_key, members_of_h5
from amsx.data.features import FeatureFile


def videos_in_hdf5(files: Sequence[Path], key: str | None) -> tuple[dict[str, Path], Callable[[Path], FeatureFile]]:
    """What the files hold, name -> <file>/<name>, and how to inspect that.

    A name may stand for an array, or for a group of one array or of several, of which `key` is taken, or the one with a
    usual name. ValueError where a file cannot be read, or two files hold the same name.
    """
    found: dict[str, Path] = {}
    arrays: dict[Path, list[str]] = {}
    for file in files:
        for name, members in members_of_h5(file).items():
            if name in found:
                raise ValueError(f"{file}: {name!r} is also in {found[name].parent}")
            found[name] = file / name
            arrays[file / name] = members

    def inspect(path: Path) -> FeatureFile:
        short = {name.partition("/")[2]: name for name in arrays[path]}
        chosen = short[""] if list(short) == [""] else short[choose_key(short, key, path)]
        return FeatureFile.inspect(path.parent, key=chosen)

    return found, inspect
