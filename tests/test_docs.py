"""What the guides tell an operator to write is what the program takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blocklists import directive, formats
from redhand import config

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "operator.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
ORDERS = [block for block in BLOCKS if block.startswith("id:")]
SETTINGS = [block for block in BLOCKS if not block.startswith("id:")]


def test_the_guide_shows_an_order_its_end_and_settings() -> None:
    assert [formats.documents(block.encode())[0][0].data["action"] for block in ORDERS] == ["block", "withdraw"]
    assert len(SETTINGS) == 3


def test_the_orders_are_directives_of_one_id() -> None:
    block, withdrawal = (directive.load(formats.documents(text.encode())[0][0].data) for text in ORDERS)
    assert (block.id, len(block.targets or ())) == (withdrawal.id, 2)
    assert directive.fold([block], block.starts).terms
    assert directive.fold([block, withdrawal], withdrawal.starts).withdrawn == (block.id,)


@pytest.mark.parametrize("field", ["category", "legal_basis", "effective_at", "expires_at", "redress", "reasons", "targets", "issuer", "issued_at"])
def test_all_of_it_is_needed(field: str) -> None:
    data = formats.documents(ORDERS[0].encode())[0][0].data
    del data[field]
    with pytest.raises(directive.BadDirective, match=f"^{field}: is missing"):
        directive.load(data)


@pytest.mark.parametrize("text", SETTINGS)
def test_the_settings_are_settings(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    settings = config.load(file, {}).settings
    assert settings.feed.urls or settings.blocklists.sources[-1].format == "domains"
