"""The class of a branch by its name, "package.module:Class": the paper's, or one of the user's own.

A configuration may come from elsewhere, and importing a module runs its code. So a name in a configuration is looked up
in the modules that this process has imported already, and nowhere else. `import_backbone` imports a module; it is
called where the user names the class.
"""

import importlib
import re
import sys
from difflib import get_close_matches
from typing import Any

from torch import nn

from amsx.model.backbone import Backbone

FORM = "package.module:Class"
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def name_of(backbone: type[nn.Module] | str) -> str:
    """The name by which a run records a class; a name is returned as it is.

    ValueError for what is neither, and for a class within a function, which no other program can find.
    """
    if isinstance(backbone, str):
        _parts_of(backbone)
        return backbone
    if not isinstance(backbone, type):
        raise ValueError(f"a backbone is a class or its name, {FORM}; got {backbone!r}")
    if "<locals>" in backbone.__qualname__:
        raise ValueError(
            f"the backbone {backbone.__qualname__} is defined within a function, where no other program finds it; "
            "expected a class at the top of a module"
        )
    return f"{backbone.__module__}:{backbone.__qualname__}"


def import_backbone(name: str) -> type[nn.Module]:
    """The class called `name`, whose module is imported; ValueError where that cannot be done.

    To be called with names that the user gave, never with one that only a file holds.
    """
    module, _ = _parts_of(name)
    if module not in sys.modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise ValueError(f"the backbone {name!r}: importing {module} failed: {error}") from error
            raise ValueError(
                f"the backbone {name!r}: there is no module {error.name} on Python's path; install it, or put its "
                "folder into PYTHONPATH"
            ) from error
        except Exception as error:  # whatever the code of the user's module raises
            raise ValueError(
                f"the backbone {name!r}: importing {module} failed: {type(error).__name__}: {error}"
            ) from error
    return backbone_class(name)


def backbone_class(name: str) -> type[nn.Module]:
    """The class called `name` in a module that is imported already.

    ValueError where the module is not imported, has no such class, or has something else of that name.
    """
    module, path = _parts_of(name)
    if module not in sys.modules:
        raise ValueError(
            f"the configuration names the backbone {name!r}. That is code of this machine, which is imported only "
            f"where you name it yourself: if you trust it, add --backbone {name}; from Python, import {module} first, "
            "or give backbone="
        )
    found: Any = sys.modules[module]
    for part in path:
        if not hasattr(found, part):
            raise ValueError(f"the backbone {name!r}: {_absent(module, part, found)}")
        found = getattr(found, part)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise ValueError(f"the backbone {name!r} is no subclass of torch.nn.Module: {found!r}")
    return found


def is_papers(backbone: type[nn.Module]) -> bool:
    """Whether this is the branch of Section III-B, `amsx.model.backbone.Backbone` itself."""
    return backbone is Backbone


def _absent(module: str, part: str, found: Any) -> str:
    if module == "__main__":
        return (
            f"the program that runs defines no {part}. The class was defined in the script that trained; put it into a "
            "module of its own, and give that class as backbone="
        )
    close = get_close_matches(part, [name for name in dir(found) if not name.startswith("_")])
    return f"{module} has no {part}" + (f"; did you mean {' or '.join(close)}?" if close else "")


def _parts_of(name: str) -> tuple[str, list[str]]:
    """The module and the path within it; ValueError for another form."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"a backbone is named as {FORM}, got {name!r}")
    module, _, path = name.partition(":")
    return module, path.split(".")
