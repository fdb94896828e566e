"""JSON in which no key occurs twice: of two entries for one video Python's own parser keeps the last, in silence."""

import json
from typing import Any


def parse(text: str | bytes) -> Any:
    """What `text` holds; ValueError where it is no JSON or a key occurs twice in one object."""
    return json.loads(text, object_pairs_hook=_unique_keys)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)!r} occurs twice in one object")
    return content
