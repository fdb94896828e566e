"""The documentation site: `sphinx-build -W -b html docs OUT`, offline, from these pages and the public docstrings."""

import re
from typing import Any

from numpy.typing import ArrayLike
from sphinx.util.typing import stringify_annotation

import amsx
from amsx.training.config_reference import field_comments

project = "amsx"
author = "the authors of amsx"
project_copyright = "the authors of amsx, Apache-2.0"
version = release = amsx.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
suppress_warnings = ["misc.highlighting_failure"]  # transcripts of commands need no grammar
nitpicky = False

html_theme = "furo"
html_title = f"amsx {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False

napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_attr_annotations = False

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 90

_ARRAY_LIKE = stringify_annotation(ArrayLike, "smart", short_literals=False)
_NDARRAY = re.compile(r"[~\w.]*ndarray\[[~\w.]*tuple\[[~\w.]*Any, \.\.\.\], [~\w.]*dtype\[[~\w.]*?(\w+)\]\]")
_CODE = re.compile(r"(`[^`]+`)")
_SPECIAL = re.compile(r"([*|\\]|\b_|_\b)")
_RANGE = re.compile(r"~?typing\.Annotated\[(.*?), ~?amsx\.ranges\.Range\(words=.*?\)\]")


def setup(app: Any) -> None:
    """Connect the translation of docstrings, before napoleon reads their sections, and of signatures."""
    app.connect("autodoc-process-docstring", _process_docstring, priority=100)
    app.connect("autodoc-process-signature", _process_signature)


def _process_signature(_app: Any, _what: str, _name: str, _subject: Any, _options: Any, *texts: str | None) -> Any:
    """NumPy's aliases by their names, instead of what they stand for; types without the ranges they declare."""
    plain = (text and _RANGE.sub(r"\1", text.replace(_ARRAY_LIKE, "ArrayLike")) for text in texts)
    return tuple(text and _NDARRAY.sub(r"NDArray[\1]", text) for text in plain)


def _process_docstring(_app: Any, what: str, _name: str, subject: Any, _options: Any, lines: list[str]) -> None:
    """Docstrings are plain text with `code`: say so in reStructuredText, and add what comments say of the fields."""
    lines[:] = [_as_rest(line) for line in lines]
    if what != "class" or not _has_fields(subject):
        return
    own = vars(subject).get("__annotations__", {})  # what a class inherits stands at the class that it extends
    comments = [f"    {name}: {_as_rest(text)}" for name, text in field_comments(subject).items() if name in own]
    if comments:
        lines += ["", "Attributes:", *comments, ""]


def _as_rest(line: str) -> str:
    parts = _CODE.split(line)
    return "".join(f"`{part}`" if part.startswith("`") else _SPECIAL.sub(r"\\\1", part) for part in parts)


def _has_fields(subject: Any) -> bool:
    """Whether a class is a dataclass or a named tuple."""
    return hasattr(subject, "__dataclass_fields__") or hasattr(subject, "_fields")
