"""What these tests share: a served desk with a person of every role and a flagger, watched for changes that leave no line in the audit log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.authority.desk.attacks.besieged import Besieged


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    """One for all. Whatever its tests did, nothing was changed without a line."""
    made = Besieged(tmp_path_factory.mktemp("besieged"), limits={"names_per_hour": 1000, "names_per_day": 5000})
    yield made
    made.close()
    assert made.silent == []
