"""Changes of files that know their structure: a changed header is still a header, a changed archive an archive."""

import io
import json
import pickle
import pickletools
import random
import struct
import warnings
import zipfile
from typing import Any

import numpy as np

SECRET = 918273.5  # the values of a file outside the folder that a reader is given
SECRET_FILE = "outside.npy"  # it lies beside that folder
CANARY = "/tmp/amsx-fuzz-canary"  # what pickles would write if they were run

INTEGERS = (
    0,
    1,
    -1,
    2,
    7,
    127,
    128,
    255,
    65535,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**53,
    2**63 - 1,
    2**63,
    2**64,
    10**30,
)
NAMES = (
    "",
    ".",
    "..",
    "../outside",
    "../outside.npy",
    "../../outside",
    "a/../../outside",
    "/etc/passwd",
    "a/b",
    "a//b",
    "C:\\x",
    "..\\outside",
    "~/x",
    "nul\0byte",
    "\ud800",
    "\u202egpj.exe",
    "x" * 300,
    "a\nb",
    "<script>",
    "*",
    "[a]",
    "$(touch x)",
    "`id`",
    "%s%n",
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    *INTEGERS,
    0.5,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
    *NAMES,
    "1e400",
    "NaN",
    "12,5",
    "0x10",
    [],
    {},
    [[]],
    [[1, 2], [3]],
    {"": ""},
    {"a": {"b": {"c": []}}},
)
DANGEROUS = (
    ("os", "system", (f"touch {CANARY}",)),
    ("posix", "system", (f"touch {CANARY}",)),
    ("builtins", "eval", (f"open({CANARY!r}, 'w')",)),
    ("builtins", "exec", (f"open({CANARY!r}, 'w').close()",)),
    ("subprocess", "call", (["touch", CANARY],)),
    ("builtins", "open", (CANARY, "w")),
    ("io", "open", (CANARY, "w")),
    ("pathlib", "Path.touch", (CANARY,)),
    ("numpy", "savetxt", (CANARY, [0.0])),
    ("numpy", "load", (CANARY, None, True)),
    ("torch", "load", (CANARY,)),
    ("builtins", "getattr", ("", "__class__")),
    ("operator", "attrgetter", ("__class__",)),
    ("webbrowser", "open", ("file:///",)),
    ("numpy.core.multiarray", "_reconstruct", ("x",)),
    ("builtins", "bytearray", (1 << 40,)),
    ("builtins", "bytes", (1 << 40,)),
    ("builtins", "list", (range(3),)),
    ("torch._utils", "_rebuild_tensor_v2", (None, 0, (1 << 40,), (1,), False, None)),
)


def change_bytes(chance: random.Random, content: bytes) -> bytes:
    """A few changes that know nothing of the content but that numbers and lengths are in it."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        size = len(data)
        # Headers are at the ends, where most of what matters is.
        at = chance.choice(
            (chance.randrange(size + 1), min(size, chance.randrange(128)), max(0, size - chance.randrange(1, 128)))
        )
        kind = chance.randrange(8)
        if kind == 0 and size:
            data[min(at, size - 1)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            width = chance.choice("bhiq")
            number = chance.choice(INTEGERS) & ((1 << 8 * struct.calcsize(f"<{width}")) - 1)
            packed = number.to_bytes(struct.calcsize(f"<{width}"), chance.choice(("little", "big")))
            data[at : at + len(packed)] = packed
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + chance.choice((1, 2, 8, 64))]
        elif kind == 4:
            data[at:at] = data[at : at + chance.choice((1, 8, 64))] * chance.choice((1, 2, 50))
        elif kind == 5:
            data[at:at] = chance.randbytes(chance.choice((1, 4, 16)))
        elif kind == 6:
            data[at:at] = chance.choice(
                (b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"{", b"[" * 2000, b"\n", b"-", b"e9")
            )
        else:
            data += chance.randbytes(chance.choice((1, 16, 4096)))
    return bytes(data)


def change_tree(chance: random.Random, value: Any) -> Any:
    """A JSON value in which one part is another value, another type, another key or gone."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(list(value))
        rest = {k: v for k, v in value.items() if k != key}
        kind = chance.randrange(8)
        if kind == 0:
            return rest
        if kind == 1:
            return {**rest, chance.choice(NAMES): value[key]}
        if kind == 2:
            return {**value, chance.choice(NAMES): chance.choice(VALUES)}
        return {**value, key: change_tree(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        kind = chance.randrange(8)
        if kind == 0:
            return value[:at] + value[at + 1 :]
        if kind == 1:
            return [*value[:at], value[at], *value[at:]]
        return [*value[:at], change_tree(chance, value[at]), *value[at + 1 :]]
    if isinstance(value, bool) or value is None or chance.random() < 0.6:
        return nested(chance) if chance.random() < 0.05 else chance.choice(VALUES)
    if isinstance(value, str):
        return chance.choice(
            (value.upper(), f"../{value}", f"/{value}", value[:-1], f"{value} ", [value], {value: value})
        )
    if isinstance(value, (int, float)):
        return chance.choice((-value, str(value), value * 1e30, value + 0.25, [value], int(value)))
    return [value]


def nested(chance: random.Random) -> Any:
    """Lists or objects in each other, deeper than some readers can go."""
    value: Any = 1
    for _ in range(chance.choice((10, 100, 900))):
        value = {"a": value} if chance.random() < 0.5 else [value]
    return value


def change_json(chance: random.Random, content: bytes) -> bytes:
    """JSON with another value in it, or with faults that are none of values."""
    kind = chance.randrange(10)
    if kind == 0:
        return change_bytes(chance, content)
    if kind == 1:
        encoding = chance.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1"))
        return content.decode().encode(encoding, "replace")
    if kind == 2:
        return b"[" * chance.choice((10, 1000, 100_000)) + content
    if kind == 3:  # a key twice
        text = content.decode()
        at = text.find("{")
        return (text[: at + 1] + '"database": 1, "results": {}, "x": 1, "x": 2, ' + text[at + 1 :]).encode()
    tree = json.loads(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        tree = change_tree(chance, tree)
    return json.dumps(tree).encode()


def change_table(chance: random.Random, content: bytes) -> bytes:
    """Lines of cells of which one is another, or that are more, fewer or in another order."""
    if chance.random() < 0.2:
        return change_bytes(chance, content)
    lines = content.decode("utf-8", "replace").split("\n")
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(lines))
        mark = chance.choice((",", ",", ";", "\t", " "))
        cells = lines[at].split(mark)
        which = chance.randrange(len(cells))
        kind = chance.randrange(8)
        if kind < 4:
            cells[which] = str(chance.choice(VALUES))
        elif kind == 4:
            del cells[which]
        elif kind == 5:
            cells.insert(which, str(chance.choice(VALUES)))
        lines[at] = mark.join(cells)
        if kind == 6:
            lines.insert(at, chance.choice(("", "#", lines[at], '"', "a,b,c", "," * 2000)))
        elif kind == 7 and len(lines) > 1:
            del lines[at]
    encoding = chance.choice(("utf-8",) * 6 + ("utf-16", "utf-8-sig", "latin-1"))
    return chance.choice(("\n", "\n", "\r\n", "\r")).join(lines).encode(encoding, "replace")


def change_npy(chance: random.Random, content: bytes) -> bytes:
    """A .npy file with another header, or with another pickle of objects."""
    start = content.find(b"\n") + 1
    if chance.random() < 0.25 or not start or not content.startswith(b"\x93NUMPY"):
        return change_bytes(chance, content)
    header = content[10:start].decode("latin1")
    data = content[start:]
    if "'O'" in header and chance.random() < 0.7:
        return content[:start] + change_pickle(chance, data)
    shape = chance.choice(
        ((), (3,), (0, 4), (2, 3, 4), (-1, 4), (2**32, 2**32), (2**62, 4), (10**30,), (5, 4), (1,) * 70, (True, 4))
    )
    order = chance.choice(("True", "False", "1", "None", "'x'"))
    dtype = chance.choice(
        (
            "'<f4'",
            "'>f8'",
            "'<f2'",
            "'|O'",
            "'<c16'",
            "'|b1'",
            "'<U9'",
            "'<M8[s]'",
            "'|V8'",
            "'f4,i4'",
            "[('a','<f4')]",
            "'<f4' * 9",
            "1",
            "''",
        )
    )
    kind = chance.randrange(5)
    if kind == 0:
        header = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': (5, 4), }}"
    elif kind == 1:
        header = f"{{'descr': '<f4', 'fortran_order': {order}, 'shape': {shape}, }}"
    elif kind == 2:
        header = chance.choice(
            ("{}", "[", "(" * 5000, "{'descr': __import__('os'), }", "'a' * 10**9", header * 2, "\0" * 40)
        )
    elif kind == 3:
        header = header.replace("False", chance.choice(("True", "not False", "0")))
    else:
        data = chance.choice((data[: len(data) // 2], b"", data + data))
    version = chance.choice(((1, 0),) * 4 + ((2, 0), (3, 0), (9, 9)))
    text = header.encode("latin1", "replace") + b"\n"
    length = chance.choice((len(text),) * 6 + (0, 65535, 2**32 - 1))
    wide = version != (1, 0)
    return (
        b"\x93NUMPY"
        + bytes(version)
        + struct.pack("<I" if wide else "<H", length if wide else length % 65536)
        + text
        + data
    )


def dangerous_pickle(chance: random.Random) -> bytes:
    """A pickle that would call something if it were loaded without care."""
    module, name, arguments = chance.choice(DANGEROUS)
    protocol = chance.choice((0, 2, 4))
    body = pickle.dumps(arguments, protocol)[:-1]  # without STOP
    if protocol == 4:
        body = body[:2] + body[11:]  # without the frame, whose length would be another
        naming = pickle.dumps(module, 4)[11:-2] + pickle.dumps(name, 4)[11:-2] + b"\x93"
    else:
        naming = f"c{module}\n{name}\n".encode()
    head = body[:2] if protocol else b""
    return head + naming + body[len(head) :] + b"R" + chance.choice((b".", b"}b.", b"0]."))


def bomb_pickle(chance: random.Random) -> bytes:
    """A small pickle of much: shared lists in each other, deep tuples as keys, promised lengths."""
    kind = chance.randrange(7)
    depth = chance.choice((5, 25, 60))
    if kind == 0:  # every list holds the one before twice
        return b"\x80\x02]q\x00" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(depth)) + b"."
    if kind == 1:  # likewise dicts
        return b"\x80\x02}q\x00" + b"".join(b"}(U\x01ah%cU\x01bh%cuq%c" % (i, i, i + 1) for i in range(depth)) + b"."
    if kind == 2:  # a tuple in tuples, as the key of a dict
        return b"\x80\x02}" + b")" + b"\x85" * chance.choice((100, 100_000, 1_000_000)) + b"Ns."
    if kind == 3:
        return b"\x80\x04\x8e" + struct.pack("<Q", chance.choice((1 << 40, 1 << 62))) + b"x."
    if kind == 4:  # a place in the memo far away
        return b"\x80\x02]r" + struct.pack("<I", chance.choice((1 << 20, (1 << 31) - 1))) + b"."
    if kind == 5:
        return b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."
    return b"\x80\x02\x8a\xff" + b"\x7f" * 255 + b"."


def change_pickle(chance: random.Random, content: bytes) -> bytes:
    """A pickle with other operations, or one that means harm."""
    kind = chance.randrange(8)
    if kind == 0:
        return change_bytes(chance, content)
    if kind == 1:
        return dangerous_pickle(chance)
    if kind == 2:
        return bomb_pickle(chance)
    try:
        starts = [at for _, _, at in pickletools.genops(content) if at is not None]
    except Exception:  # it was changed before
        return change_bytes(chance, content)
    parts = [content[a:b] for a, b in zip(starts, [*starts[1:], len(content)], strict=True)]
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(parts))
        what = chance.randrange(6)
        if what == 0 and len(parts) > 1:
            del parts[at]
        elif what == 1:
            parts.insert(at, parts[chance.randrange(len(parts))])
        elif what == 2:
            parts[at] = change_bytes(chance, parts[at])
        elif what == 3:
            parts.insert(at, dangerous_pickle(chance)[:-1].removeprefix(b"\x80\x02").removeprefix(b"\x80\x04"))
        elif what == 4:
            parts.insert(
                at,
                chance.choice(
                    (b"N", b"}", b"]", b")", b"\x88", b"K\x07", b"0", b"2", b"Q", b"(t", b"\x85", b"b", b"R")
                ),
            )
        else:
            other = chance.randrange(len(parts))
            parts[at], parts[other] = parts[other], parts[at]
    return b"".join(parts)


def change_archive(chance: random.Random, content: bytes) -> bytes:
    """A zip archive with changed members, names, methods or sizes."""
    if chance.random() < 0.2:
        return change_bytes(chance, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    out = io.BytesIO()
    method = chance.choice((zipfile.ZIP_STORED,) * 3 + (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    at, kind = chance.randrange(len(members)), chance.randrange(8)
    name, data = members[at]
    if kind == 0:
        del members[at]
    elif kind == 1:
        members.append(members[at])
    elif kind == 2:
        members[at] = (
            chance.choice(NAMES[1:]).replace("\0", "0").replace("\ud800", "?") + chance.choice(("", ".npy", ".pkl")),
            data,
        )
    elif kind == 3:
        members.append(("/".join("a" * chance.choice((5, 2000))) + ".npy", data))
    elif kind == 4 and name.endswith(".npy"):  # a bomb: few bytes that are many
        method = zipfile.ZIP_DEFLATED
        members[at] = (name, _npy_of_zeros(chance.choice((1 << 16,) * 9 + (1 << 27,))))
    elif name.endswith(".npy"):
        members[at] = (name, change_npy(chance, data))
    elif name.endswith(".pkl"):
        members[at] = (name, change_pickle(chance, data))
    else:
        members[at] = (name, change_bytes(chance, data))
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as archive:
        warnings.simplefilter("ignore")  # a name twice
        for member, value in members:
            archive.writestr(member, value)
    whole = out.getvalue()
    return change_bytes(chance, whole) if chance.random() < 0.2 else whole


def change_safetensors(chance: random.Random, content: bytes) -> bytes:
    """A safetensors file with another header or length."""
    length = struct.unpack("<Q", content[:8])[0]
    kind = chance.randrange(6)
    if kind == 0:
        return change_bytes(chance, content)
    if kind == 1:
        return struct.pack("<Q", chance.choice(INTEGERS[:-2]) % 2**64) + content[8:]
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    if kind < 4 and "amsx" in header.get("__metadata__", {}):
        own = json.loads(header["__metadata__"]["amsx"])
        for _ in range(chance.choice((1, 2))):
            own = change_tree(chance, own)
        header["__metadata__"]["amsx"] = chance.choice((json.dumps(own),) * 5 + ("[" * 100_000, "", "null"))
    else:
        header = change_tree(chance, header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + chance.choice((data,) * 5 + (data[:-1], data + b"\0", b""))


def _npy_of_zeros(values: int) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (values // 4 // 4, 4)}
    )
    return header.getvalue() + bytes(values)
