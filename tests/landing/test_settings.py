"""Settings of the page: what is refused, and that the message helps."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from landing.settings import LandingSettings


def test_the_defaults_serve_a_newcomer() -> None:
    settings = LandingSettings()
    assert settings.listen == ("127.0.0.1:8080",)
    assert settings.resolver == ""


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("listen", ("[0:0::1]:80",), ("[::1]:80",)),
        ("resolver", "127.0.0.1:5300", "127.0.0.1:5300"),
        ("colour", "#14458C", "#14458c"),
        ("operator", " Télécom d'exemple ", "Télécom d'exemple"),
    ],
)
def test_values_are_put_in_one_form(field: str, value: object, shown: object) -> None:
    assert getattr(LandingSettings.model_validate({field: value}), field) == shown


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("listen", (), "at least 1"),
        ("listen", ("127.0.0.1",), "write address and port"),
        ("listen", ("::1:8080",), "write address and port"),
        ("listen", ("localhost:8080",), "'localhost' is not an IP address"),
        ("listen", ("127.0.0.1:0",), "'0' is not a port"),
        ("listen", ("127.0.0.1:65536",), "'65536' is not a port"),
        ("resolver", "127.0.0.1", "write address and port"),
        ("operator", "", "1 to 200 printable"),
        ("operator", "two\nlines", "1 to 200 printable"),
        ("operator_url", "operator.example", "is not a web address"),
        ("operator_url", "javascript:alert(1)", "is not a web address"),
        ("operator_url", 'https://operator.example/>; rel="x', "is not a web address"),
        ("operator_url", "https://operator.example/\r\nX: y", "is not a web address"),
        ("operator_url", "https://opérateur.example/", "is not a web address"),
        ("operator_url", "https://operator.example:99999/", "is not a web address"),
        ("language", "pt", "'en', 'fr', 'de', 'es', 'it' or 'ar'"),
        ("color", "#14458c", "Extra inputs"),
        ("colour", "blue", "six hexadecimal digits, such as #14458c"),
        ("colour", "#14458c80", "six hexadecimal digits"),
        ("colour", "#5b8def", r"contrast of 2\.\d\d to 1 with the page's #f5f2ed, and 4.5 is the least .* the nearest of its kind is #"),
        ("colour_dark", "#14458c", "with the page's #211f1d, .* the nearest of its kind is #"),
    ],
)
def test_mistakes_are_refused_with_their_remedy(field: str, value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LandingSettings.model_validate({field: value})
