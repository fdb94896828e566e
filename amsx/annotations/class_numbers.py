"""Names of classes that records give by number alone, from `label_id` of other records or a list in the same file."""

from collections.abc import Mapping, Sequence
from typing import Any

from amsx.annotations.keys import plain, whole
from amsx.annotations.records import Record

CLASS_LISTS = ("classes", "classlist", "listclasses", "classnames", "labels", "labelnames", "categories")


class ClassNumbers:
    """What the numbers of classes stand for in one file, called `name` in messages."""

    def __init__(self, records: Sequence[Record], beside: Mapping[str, Any], name: str) -> None:
        self.stated = frozenset((r.number, r.label) for r in records if r.is_name and r.number is not None)
        self._texts = {record.label for record in records if record.is_name}
        self._names: dict[int, str] = {}
        self._origin = f"the label_id of {name}"
        unnamed = {r.number for r in records if not r.is_name and r.number is not None}
        for number, label in sorted(self.stated):
            if self._names.setdefault(number, label) != label and number in unnamed:
                raise ValueError(
                    f"{name}: label_id {number} stands for {self._names[number]!r} and for {label!r}; expected one name"
                )
        if unnamed and not self._names:
            self._names, self._origin = _listed_names(unnamed, beside, name)
        named = len(unnamed & set(self._names))
        self.notes = [f"the numbers of {named} classes are named by {self._origin}"] if named else []

    def name_of(self, record: Record) -> str:
        """The name of a record's class, which is its number where the file names no number at all."""
        if record.is_name or record.number is None:
            return record.label
        name = self._names.get(record.number)
        is_a_name_elsewhere = record.label in self._texts
        if name is not None and is_a_name_elsewhere and record.label != name:
            raise ValueError(
                f"{record.where} has the label {record.label!r}, which is the name of a class elsewhere and the number "
                f"of {name!r} by {self._origin}; expected the name of the class"
            )
        if name is None and self._names and not is_a_name_elsewhere:
            raise ValueError(
                f"{record.where} has the class number {record.number}, which {self._origin} does not name; expected "
                f"one of its {len(self._names)} numbers, {min(self._names)} to {max(self._names)}"
            )
        return record.label or str(record.number) if name is None else name


def _listed_names(numbers: set[int], beside: Mapping[str, Any], name: str) -> tuple[dict[int, str], str]:
    """Number -> name by the list of classes that stands in the file, and what to call that; empty where there is none.

    A list counts its names from 0, or from 1 where only that fits the `numbers`. ValueError where both fit.
    """
    for key, value in beside.items():
        if plain(key) not in CLASS_LISTS or not value:
            continue
        origin = f"{key!r} in {name}"
        if isinstance(value, Mapping):
            if all(whole(number) is not None and isinstance(label, str) for number, label in value.items()):
                return {int(number): label for number, label in value.items()}, origin
            if all(whole(number) is not None for number in value.values()):
                return {int(number): label for label, number in value.items()}, origin
        if isinstance(value, list) and all(isinstance(label, str) for label in value):
            low, high, count = min(numbers), max(numbers), len(value)
            if low >= 1 and high < count:
                raise ValueError(
                    f"{name}: class numbers from {low} to {high} may count the {count} names of {key!r} from 0 or from "
                    "1; expected an object number -> name in its place"
                )
            if high <= count:
                first = 1 if high == count else 0
                return dict(enumerate(value, start=first)), f"{origin}, counted from {first}"
    return {}, ""
