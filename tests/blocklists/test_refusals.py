"""The operator's guide names every rule by which an entry is skipped, in the words the program has."""

from __future__ import annotations

import re
from pathlib import Path

from blocklists.refusals import RULES

GUIDE = Path(__file__).parents[2] / "docs" / "operator.md"


def test_the_guide_has_the_table() -> None:
    section = GUIDE.read_text("utf-8").split("### When an entry is skipped\n")[1].split("\n#")[0]
    assert dict(re.findall(r"^\| `([a-z.]+)` \| (.*) \|$", section, re.MULTILINE)) == RULES
