"""Damage: to bytes, as a disk or a transfer does it, and to plain data, as a program that writes nonsense does it."""

import json
import random
from typing import Any

ODD_BYTES = (b"", b"\0", b"\xff\xfe", b"\n", b"\r\n", b"{", b"}", b'"', b"0", b"\xed\xa0\x80", b"\0" * 64, b"[" * 300)
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 7, 0.5, -0.0, 1e-320, 1e308, -1e308, float("nan"), float("inf"), -float("inf"),
    2**31, 2**63, 2**64, -(2**63), 10**30, 10**400, "", "0", "1", "x", "nan", "auto", "\0", "\ud800", "a" * 3000, "a,b",
    "../../x", "/etc/passwd", "\u202e", "$_$", [], [0], [1, 2], [None], [[[]]], ["a"], ["a", "a"], {}, {"a": 1},
    {"": {}}, [float("nan")], [0.5, 0.5],
)  # fmt: skip


def damaged_bytes(whole: bytes, chance: random.Random) -> bytes:
    """The bytes with bits flipped, a part cut out, doubled, moved, overwritten or put in, or an end cut off."""
    content = bytearray(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        size = len(content)
        at = min(size, int(size * chance.random() ** chance.choice((1, 4))))  # the beginning more often
        end = min(size, at + chance.choice((1, 1, 4, 8, 64, 500)))
        kind = chance.randrange(7)
        if kind == 0 and size:
            content[min(at, size - 1)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del content[at:]
        elif kind == 2:
            del content[at:end]
        elif kind == 3:
            content[at:at] = content[at:end]
        elif kind == 4:
            content[at:end] = chance.randbytes(end - at)
        elif kind == 5:
            content[at:at] = chance.choice(ODD_BYTES)
        else:
            part = content[at:end]
            del content[at:end]
            content += part
    return bytes(content)


def damaged_data(data: Any, chance: random.Random) -> Any:
    """Plain data with one place of it changed, taken away, doubled or added to."""
    copy = json.loads(json.dumps(data))
    places = list(_places(copy))
    for _ in range(chance.choice((1, 1, 1, 2))):
        if not places:
            return chance.choice(ODD_VALUES)
        holder, key = chance.choice(places)
        kind = chance.randrange(6)
        try:
            if kind == 0:
                del holder[key]
            elif kind == 1 and isinstance(holder, dict):
                holder[chance.choice(("extra", "", "a", str(key) * 2))] = holder[key]
            elif kind == 1:
                holder.append(holder[key])
            elif kind == 2 and isinstance(holder[key], int | float):
                holder[key] = _near(holder[key], chance)
            elif kind == 3:
                other, its = chance.choice(places)
                holder[key], other[its] = other[its], holder[key]
            else:
                holder[key] = chance.choice(ODD_VALUES)
        except (KeyError, IndexError):  # the second change, of what the first has taken away
            continue
    return copy


def _near(number: float, chance: random.Random) -> Any:
    return chance.choice((number + 1, number - 1, -number, number * 2, number * 1000, -0.5, str(number)))


def _places(data: Any) -> Any:
    keys = data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
    for key in keys:
        yield data, key
        yield from _places(data[key])


def deep(levels: int) -> str:
    """JSON that is nested so deep."""
    return "[" * levels + "]" * levels
