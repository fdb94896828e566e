"""The reader's option `streams`: where each stream is, in the user's words.

    {"rgb": "i3d_rgb", "clip": "clip"}            folders, of <id>.<kind>
    {"rgb": "rgb.h5", "clip": "clip.h5"}          files of all videos
    {"rgb": "features/{id}_r21d.npy"}             a path with {id}, the suffix of which may be left out
    {"clip": "features/{id}.npz/clip"}            it may go on in the file: an array's name
    {"clip": "all.h5/{id}/clip"}

Paths are relative to the folder of the data set.
"""

import re
from collections.abc import Collection, Mapping
from functools import partial
from glob import escape
from pathlib import Path

from amsx.data.arrays import SUFFIXES
from amsx.data.layouts.shared.feature_places import ArrayInFile, Places, arrays_in, chosen_array, in_file

ID = "{id}"


def given_places(root: Path, streams: Mapping[str, str], kinds: Collection[str]) -> Places:
    """The places that the option says; ValueError where it is no such mapping, or a stream has no features there."""
    if not isinstance(streams, Mapping) or not streams or not all(isinstance(x, str) for x in streams.values()):
        raise ValueError(f'streams={streams!r}: expected {{stream: place}}, such as {{"rgb": "i3d_rgb/{ID}.npy"}}')
    places = Places(root)
    for stream, pattern in streams.items():
        parts = Path(pattern).parts if ID in pattern else (*Path(pattern).parts, ID)
        end = next((i for i, part in enumerate(parts) if Path(part).suffix in SUFFIXES), len(parts) - 1) + 1
        if any(ID in part for part in parts[:end]):
            _add_files(places, root, stream, parts[:end], "/".join(parts[end:]), kinds)
        else:
            _add_arrays(places, stream, root.joinpath(*parts[:end]), "/".join(parts[end:]))
        if not places.streams.get(stream):
            raise FileNotFoundError(
                f"{root}: no features of the stream {stream!r} at {pattern!r}; expected a folder, an HDF5 file or a "
                f"path with {ID} for the id of a video"
            )
    return places


def _add_files(
    places: Places, root: Path, stream: str, parts: tuple[str, ...], key: str, kinds: Collection[str]
) -> None:
    """Add the files whose path, in `parts`, has {id} in place of the id, and that hold the array `key`, if not ""."""
    pattern = "/".join(parts)
    suffixes = [""] if Path(parts[-1]).suffix in SUFFIXES else list(kinds)
    for suffix in suffixes:
        wanted = "*".join(escape(piece) for piece in f"{pattern}{suffix}".split(ID))
        name_of = _pattern(f"{pattern}{suffix}")
        for path in sorted(root.glob(wanted)):
            match = name_of.fullmatch(path.relative_to(root).as_posix())
            if match is None or not path.is_file():
                continue
            name = match["id"]
            own = key.replace(ID, name)
            places.add(stream, name, path / own if own else path, partial(in_file, path, own) if own else None)


def _add_arrays(places: Places, stream: str, file: Path, pattern: str) -> None:
    """Add the arrays of a file whose full name begins with `pattern`, which has {id} in place of the id."""
    name_of = re.compile(f"(?P<full>{_pattern(pattern, '[^/]+').pattern})(?:/(?P<inner>.+))?")
    found: dict[tuple[str, str], dict[str, ArrayInFile]] = {}
    for array in arrays_in(file):
        match = name_of.fullmatch(array.name)
        if match is not None:
            found.setdefault((match["id"], match["full"]), {})[match["inner"] or ""] = array
    for (name, full), arrays in found.items():
        places.add(stream, name, file / full, partial(chosen_array, file / full, arrays, None))


def _pattern(text: str, name: str = ".+") -> re.Pattern[str]:
    """`text` as a regular expression, in which {id} stands for one name, as `name` describes it, wherever it occurs."""
    first, *others = [re.escape(piece) for piece in text.split(ID)]
    return re.compile(first + "".join(("(?P=id)" if i else f"(?P<id>{name})") + end for i, end in enumerate(others)))
