"""Addresses with ports: read the one way they can be meant, or refused with what to write instead."""

from __future__ import annotations

import pytest

from blocklists.endpoints import show_endpoint, split_endpoint


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", 53),
        ("192.0.2.1:5300", "192.0.2.1", 5300),
        ("2001:db8::1", "2001:db8::1", 53),
        ("2001:db8::ab:cd", "2001:db8::ab:cd", 53),
        ("2001:db8:0:0:0:0:0:53", "2001:db8::53", 53),
        ("::1", "::1", 53),
        ("[::1]", "::1", 53),
        ("[::1]:5300", "::1", 5300),
        ("[::1:5300]", "::1:5300", 53),
    ],
)
def test_what_has_one_meaning_is_read(text: str, address: str, port: int) -> None:
    assert split_endpoint(text, 53) == (address, port)
    assert split_endpoint(show_endpoint(address, port)) == (address, port)


@pytest.mark.parametrize("text", ["::1:5300", "2001:db8::1:53", "2001:db8::5:1", "fe80::1:65535"])
def test_an_address_that_could_end_in_a_port_must_have_brackets(text: str) -> None:
    with pytest.raises(ValueError, match="could be an address alone or an address with a port") as caught:
        split_endpoint(text, 53)
    host, _, port = text.rpartition(":")
    assert f"[{text}]" in str(caught.value)
    assert f"[{host}]:{port}" in str(caught.value)
    with pytest.raises(ValueError, match="has no port"):
        split_endpoint(text)
