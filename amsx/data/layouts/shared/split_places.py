"""Places of features in layouts whose split files say which video is in which subset, with a folder for each subset."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from amsx.data.layouts.shared.assembly import unlisted_features
from amsx.data.layouts.shared.feature_places import Places, Stream, feature_folders, find_places
from amsx.data.layouts.shared.stream_names import stream_of
from amsx.data.videos import Subset
from amsx.files import visible


def split_places(
    folders: Mapping[Subset, Path], subsets: Mapping[str, Subset], kinds: Collection[str]
) -> tuple[dict[str, dict[str, Path]], Callable[[Path], Stream], list[str]]:
    """Video -> stream -> place, what opens a place, and notes.

    `folders` has the folder of each subset, or the same for both, and `subsets` the subset of each video. In a folder,
    streams are kept in any of the ways of `find_places`.
    """
    paths: dict[str, dict[str, Path]] = {}
    notes: list[str] = []
    every = Places(Path())
    for folder in dict.fromkeys(folders.values()):
        ids = [name for name, subset in subsets.items() if folders[subset] == folder]
        if not ids:
            extra = [path for place in feature_folders(folder, kinds) for path in visible(place, "*")]
            notes += unlisted_features([path for path in extra if path.suffix in kinds], [])
            continue
        within = feature_folders(folder, kinds)
        if any("/" in name for name in ids):  # folders that name no stream are parts of ids
            within = [path for path in within if path == folder or stream_of(path.relative_to(folder).parts)]
        found = (
            find_places(folder, ids, kinds, folders=within or [folder], key=None) if folder.is_dir() else Places(folder)
        )
        names, name_notes = found.called(ids)
        notes += [*found.notes, *name_notes, *found.unlisted(names.values())]
        paths |= {name: found.of(names[name]) for name in ids}
        every.within |= found.within
    return paths, every.inspect, notes
