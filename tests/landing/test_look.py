"""The style sheet and the operator's share in it: colours that can be read, and a security policy that lets in this style and no other."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landing import contrast
from landing.look import Look
from landing.page import Pages
from landing.settings import LandingSettings
from tests.landing.test_logo import png

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


def look(**settings: object) -> Look:
    return Look.of(LandingSettings.model_validate(settings))


@pytest.mark.parametrize(
    ("one", "other", "found"), [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#14458c", "#14458c", 1.0), ("#b3131f", "#fdfcfa", 6.76)]
)
def test_contrast_is_what_the_guideline_defines(one: str, other: str, found: float) -> None:
    assert contrast.contrast(one, other) == contrast.contrast(other, one) == pytest.approx(found, abs=0.01)


@given(COLOURS, st.sampled_from([contrast.LIGHT, contrast.DARK]))
def test_a_colour_is_readable_or_the_message_names_one_that_is(colour: str, grounds: tuple[str, ...]) -> None:
    try:
        taken = contrast.readable(colour.upper().replace("X", "x"), grounds)
    except ValueError as error:
        taken = str(error)[-7:]
        assert taken != colour
    assert contrast.readable(taken, grounds) == taken
    assert min(contrast.contrast(taken, ground) for ground in grounds) >= contrast.LEAST


def test_the_grounds_that_colours_are_held_against_are_those_of_the_style_sheet() -> None:
    styled = re.findall(r"--paper: (#\w{6}); --band: (#\w{6})", look().style)
    assert styled == [contrast.LIGHT, contrast.DARK]


def test_all_colours_of_the_style_sheet_can_be_read_on_its_grounds() -> None:
    style = look().style
    for scheme, grounds in zip(re.findall(r"--paper: #.*?}", style, re.DOTALL), (contrast.LIGHT, contrast.DARK), strict=False):
        found = dict(re.findall(r"--(\w+): (#\w{6})", scheme))
        for name, least in (("ink", 7.0), ("soft", 4.5), ("good", 3.0), ("red", 3.0), ("edge", 3.0)):
            for ground in grounds:
                assert contrast.contrast(found[name], ground) >= least, (name, ground)


def test_the_operators_colours_and_logo_are_on_the_page_and_the_policy_names_this_style(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(png(30, 10))
    chosen = look(colour="#7a0f4e", colour_dark="#ffb3da", logo=str(tmp_path / "logo.png"))
    assert chosen.source != look().source
    pages = Pages("Example Telecom", "https://operator.example/", chosen)
    text = pages.plain("unknown", 404, "en", False).body("").decode()
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "--operator: #7a0f4e; --operator-dark: #ffb3da" in style
    assert f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in pages.security_policy
    assert '<img src="data:image/png;base64,iVBOR' in text
    assert "img-src data:" in pages.security_policy
    assert "<img" not in Pages("Example Telecom", "https://operator.example/").plain("unknown", 404, "en", False).body("").decode()


def test_a_logo_that_is_gone_leaves_a_page_without_and_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "redhand.landing"):
        assert look(logo=str(tmp_path / "gone.svg")).logo == ""
    assert "landing.logo" in caplog.text
    assert "gone.svg cannot be read" in caplog.text
