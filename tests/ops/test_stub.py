"""The types of the native core, amsx/_C.pyi, name what the compiled module has, with its parameters."""

import ast
import re
from pathlib import Path

import amsx
from amsx.ops import native


def test_the_stub_is_the_modules() -> None:
    stub = ast.parse((Path(amsx.__file__).parent / "_C.pyi").read_text())
    stated = {node.name: [a.arg for a in node.args.args] for node in stub.body if isinstance(node, ast.FunctionDef)}
    core = native._core()
    compiled = {}
    for name in dir(core):
        if not name.startswith("_"):
            signature = re.match(rf"{name}\((.*)\) -> ", getattr(core, name).__doc__)
            assert signature is not None
            compiled[name] = re.findall(r"(\w+): ", signature[1])
    assert stated == compiled
