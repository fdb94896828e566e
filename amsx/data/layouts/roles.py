"""Which subsets of an annotation, as written, are the training and the test videos."""

from collections.abc import Mapping

from amsx.data.layouts.annotations import Entry
from amsx.data.videos import Subset

TRAIN, VALIDATION, TEST = {"train", "training"}, {"val", "valid", "validation"}, {"test", "testing"}


def subset_roles(
    entries: Mapping[str, Entry], given: Mapping[str, Subset] | None = None
) -> tuple[dict[str, Subset], list[str]]:
    """Which subsets, as written, are training and test videos, and notes.

    THUMOS14's training videos are called validation; ActivityNet's validation videos are what everyone tests
    on. So: where a training subset exists, validation is the test set, unless annotated test videos exist
    too, which then are, and validation is left out. Where none exists, validation is the training set.
    Unknown names: ValueError.
    """
    written = {entry.subset for entry in entries.values()}
    if given is not None:
        absent = sorted(set(given) - written)
        if absent or not set(given.values()) <= {"train", "test"}:
            raise ValueError(f"subsets={dict(given)}: expected 'train' or 'test' for some of {sorted(written)}")
        roles = dict(given)
    else:
        kinds = {kind: {s for s in written if s.lower() in names} for kind, names in _KINDS.items()}
        unknown = sorted(written - set().union(*kinds.values()))
        if unknown:
            raise ValueError(f"unknown subsets {unknown}; say with subsets= which are 'train' and 'test'")
        test_annotated = any(entry.labels for entry in entries.values() if entry.subset in kinds["test"])
        roles = dict.fromkeys(kinds["train"] or kinds["validation"], "train")
        if kinds["train"] and kinds["validation"] and not test_annotated:
            roles.update(dict.fromkeys(kinds["validation"], "test"))
        else:
            roles.update(dict.fromkeys(kinds["test"], "test"))
    notes = [f"subset {name!r} is the {role} set" for name, role in sorted(roles.items()) if name.lower() != role]
    for name in sorted(written - set(roles)):
        count = sum(entry.subset == name for entry in entries.values())
        notes.append(f"left out: subset {name!r} ({count} videos)")
    return roles, notes


_KINDS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
