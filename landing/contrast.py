"""Colours that an operator may choose, and whether everybody can read them. Pure.

Contrast as WCAG 2.2 defines it (relative luminance and contrast ratio, success criterion 1.4.3): from 1, the same, to 21, black on white.
"""

from __future__ import annotations

import re

LEAST = 4.5
"""The contrast of text that is not large, level AA."""

LIGHT, DARK = ("#fdfcfa", "#f5f2ed"), ("#171614", "#211f1d")
"""What the operator's colours stand on in each scheme: --paper and --band of style.css, which a test holds equal."""

_COLOUR = re.compile(r"#[0-9a-f]{6}")


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, each #rrggbb."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def readable(colour: str, grounds: tuple[str, ...]) -> str:
    """The colour in lower case, if it can be read on each of the grounds. Raises ValueError, which tells the nearest of its kind that can."""
    colour = colour.lower()
    if not _COLOUR.fullmatch(colour):
        raise ValueError("write a colour as # and six hexadecimal digits, such as #14458c")
    if _worst(colour, grounds) >= LEAST:
        return colour
    worst = min(grounds, key=lambda ground: contrast(colour, ground))
    # Floored, not rounded: 4.496 must not be called 4.5.
    shown = int(contrast(colour, worst) * 100) / 100
    raise ValueError(
        f"has a contrast of {shown:.2f} to 1 with the page's {worst}, and {LEAST} is the least that everybody can read (WCAG 2.2, 1.4.3); "
        f"the nearest of its kind is {_nearest(colour, grounds)}"
    )


def _nearest(colour: str, grounds: tuple[str, ...]) -> str:
    """The colour with as little black, or white on a dark page, mixed in as makes it readable."""
    end = 0 if _luminance(grounds[0]) > 0.5 else 255
    parts = _parts(colour)
    for step in range(1, 256):
        mixed = "#" + "".join(f"{round(part + (end - part) * step / 255):02x}" for part in parts)
        if _worst(mixed, grounds) >= LEAST:
            return mixed
    raise AssertionError("black or white can be read on any ground")


def _worst(colour: str, grounds: tuple[str, ...]) -> float:
    return min(contrast(colour, ground) for ground in grounds)


def _parts(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def _luminance(colour: str) -> float:
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in (part / 255 for part in _parts(colour)))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
