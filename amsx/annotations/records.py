"""The records of one video: labels and segments, in the forms in which files list them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amsx.annotations.keys import keys_by_meaning, plain, short, whole
from amsx.records import AMBIGUOUS, finite_number, label_fault, record_fault

TRIPLES = "actions"  # the key under which [class, start, end] have this order, though all may be numbers


@dataclass(frozen=True)
class Record:
    """One label of one record, before a class that is a number has a name."""

    label: str  # as text
    number: int | None  # the number of the class: label_id, or the label itself where that is a number
    is_name: bool  # the label is no number, or stands beside a label_id, so it needs no other name
    times: tuple[float, float] | None  # start and end in the file's unit; None: a label without a segment
    where: str  # the file, the video and the index, for messages


def read_records(
    entry: Mapping[str, Any], keys: Mapping[str, str], where: str, *, labels_alone: bool, any_order: bool
) -> Iterator[Record]:
    """The records of an entry in the file's order, one for each label. `keys`: meaning -> key, see `keys_by_meaning`.

    ValueError, which names the video (`where`) and the index, where a record is not as `amsx.records` wants it.
    """
    for index, given in enumerate(_listed(entry, keys, where)):
        at = f"{where}, annotation {index}"
        record = _canonical(_from_triple(given, keys.get("annotations", ""), at), at)
        ids = record.pop("label_id", None)
        labels = _several(record["label"]) if "label" in record else []
        numbers = ids if isinstance(ids, list | tuple) and len(ids) == len(labels) else [ids] * len(labels)
        alone = labels_alone and "segment" not in record
        for label, number in zip(labels or [None], numbers or [None], strict=True):
            if labels:
                record["label"] = label
            fault = _alone_fault(record) if alone else record_fault(record, ("label", "segment"), any_order=any_order)
            if fault:
                raise ValueError(f"{at} {fault}")
            yield _record(label, whole(number), None if alone else record["segment"], at)


def _listed(entry: Mapping[str, Any], keys: Mapping[str, str], where: str) -> Sequence[Any]:
    """The records of an entry as the file lists them; the columns "labels" and "segments" are put together."""
    if "annotations" in keys:
        records = entry[keys["annotations"]]
        if not isinstance(records, list | tuple):
            raise ValueError(f"{where}: {keys['annotations']} must be a list, got {type(records).__name__}")
        return records
    names = [keys[meaning] for meaning in ("labels", "segments") if meaning in keys]
    columns = [entry[name] for name in names]
    if not all(isinstance(column, list | tuple) for column in columns) or len(set(map(len, columns))) > 1:
        raise ValueError(f"{where}: {' and '.join(names)} are not lists of one length; expected so, or 'annotations'")
    rows = zip(*columns, strict=True) if "labels" in keys else ()
    return [dict(zip(("label", "segment"), row, strict=False)) for row in rows]


def _from_triple(given: Any, key: str, where: str) -> Any:
    """[class, start, end] as an object; anything else as it is.

    Under the key "actions" the class comes first, as in Charades. Under another key, it is the one that is no number.
    """
    if not isinstance(given, list | tuple):
        return given
    if len(given) != 3:
        raise ValueError(f"{where} is a list of {len(given)}; expected [class, start, end] or an object")
    names = [i for i, value in enumerate(given) if finite_number(value) is None]
    if names == [2]:
        return {"label": given[2], "segment": given[:2]}
    if names != [0] and plain(key) != TRIPLES:
        raise ValueError(
            f"{where} is {short(given)}, which does not show which of these is the class; expected "
            '{"label": class, "segment": [start, end]}, or [class, start, end] under the key "actions"'
        )
    return {"label": given[0], "segment": given[1:]}


def _canonical(given: Any, where: str) -> dict[str, Any]:
    """A record under the keys label, label_id and segment, as far as it has them; the number stands for no label."""
    if not isinstance(given, Mapping):
        raise ValueError(f"{where} {record_fault(given, ('label', 'segment'))}")
    keys = keys_by_meaning(given, "record", where)
    record: dict[str, Any] = {
        meaning: given[keys[meaning]] for meaning in ("label", "label_id", "segment") if meaning in keys
    }
    if "segment" not in record and {"start", "end"} <= set(keys):
        record["segment"] = [given[keys["start"]], given[keys["end"]]]
    if "label" not in record and "label_id" in record:
        record["label"] = record.pop("label_id")
    return record


def _several(label: Any) -> list[Any]:
    """The labels of a record, each once. What is no list of sound labels is returned as one, to be refused."""
    if isinstance(label, list | tuple) and label and all(label_fault(one) is None for one in label):
        return list(dict.fromkeys(label))
    return [label]


def _record(label: Any, number: int | None, segment: Any, where: str) -> Record:
    times = None if segment is None else (float(segment[0]), float(segment[1]))
    text = str(label)
    if text.strip().casefold() == AMBIGUOUS.casefold():
        return Record(AMBIGUOUS, None, True, times, where)
    own = whole(label)
    is_name = own is None or number is not None
    return Record(text, number if is_name else own, is_name, times, where)


def _alone_fault(record: Mapping[str, Any]) -> str | None:
    if "label" not in record:
        return "has no 'label'; expected a label"
    fault = label_fault(record["label"])
    return f"has label {fault}" if fault else None
