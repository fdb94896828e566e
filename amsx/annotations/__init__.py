"""Annotation in JSON, in every form of the field, as one typed mapping for training and evaluation alike.

The forms, which may be mixed:

- `{"database": {id: entry}}` (ActivityNet, THUMOS14, HACS) or the bare `{id: entry}` (BSN, BMN, mmaction2, Charades);
- an entry's actions as objects, `"annotations": [{"label", "segment": [start, end]}]`, as lists, `"actions": [[class,
  start, end]]` (Charades, MultiTHUMOS, TSU), or as two columns, `"segments"` and `"labels"`;
- keys in the spellings of `amsx.annotations.keys`; numbers as numbers or text; a label that is a list, which means the
  segment under each of its labels;
- classes as names, or as numbers that `label_id` of other records or the file's own list of classes names.

Two spellings of one thing that disagree, and numbers that may be read in two ways, are errors that name video and key.
No other package of amsx reads annotation in JSON by itself.
"""

from amsx.annotations.reading import (
    PREFIX,
    Annotation,
    Instance,
    VideoAnnotation,
    parse_annotation,
    read_annotation,
    same_names,
)

__all__ = [
    "PREFIX",
    "Annotation",
    "Instance",
    "VideoAnnotation",
    "parse_annotation",
    "read_annotation",
    "same_names",
]
