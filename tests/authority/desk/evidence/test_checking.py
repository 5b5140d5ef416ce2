"""`evidence verify` finds whatever is not as it was left, in the store and in the database, and tells of nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from authority.desk.errors import DeskError, Forbidden
from authority.desk.evidence import checking
from authority.desk.evidence.checking import Progress
from authority.desk.evidence.store import Unreachable
from authority.desk.roles import SETUP
from authority.desk.tables import Evidence, Proposal
from tests.authority.desk.evidence.house import MARK, NOW, ONE, OTHER, House
from tests.authority.desk.evidence.test_keeping import LARGE, overwrite


def faults(home: House) -> dict[int, str]:
    return {fault.evidence: fault.why for fault in checking.verify(home.desk, home.auditor, NOW).faults}


def test_all_that_is_sound_is_read_and_counted_with_progress(anywhere: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "PIECE", 2)
    sizes = [len(anywhere.add(octets).label) and len(octets) for octets in (MARK, LARGE, b"x", b"y")]
    anywhere.shredded(4)
    seen: list[Progress] = []
    report = checking.verify(anywhere.desk, anywhere.auditor, NOW, seen.append)
    assert report == (3, sum(sizes) - 1, 1, ())
    assert [each.done for each in seen] == [1, 2, 3, 4]
    assert {each.all for each in seen} == {4}
    (line,) = anywhere.audited("evidence.verify")
    assert line.who == "auditor"


def test_each_changed_missing_and_exchanged_object_is_named(anywhere: House) -> None:
    sound, changed, missing, one, other, shortened = (anywhere.add(LARGE, OTHER).id for _ in range(6))
    objects = anywhere.desk.vault.objects
    octets = {number: b"".join(objects.read(anywhere.row(number).address)) for number in (changed, one, other, shortened)}
    overwrite(anywhere, anywhere.row(changed).address, octets[changed][:-1] + bytes([octets[changed][-1] ^ 1]))
    overwrite(anywhere, anywhere.row(shortened).address, octets[shortened][: 19 + 65_552])
    overwrite(anywhere, anywhere.row(one).address, octets[other])
    overwrite(anywhere, anywhere.row(other).address, octets[one])
    objects.remove(anywhere.row(missing).address)
    assert set(faults(anywhere)) == {changed, missing, one, other, shortened}
    assert anywhere.text(sound) == LARGE


def test_what_was_done_to_the_database_by_hand_is_named(home: House) -> None:
    kept = [home.add().id for _ in range(9)]
    with home.desk.store.writing() as session:
        session.delete(session.get_one(Evidence, kept[0]))
        copy = session.get_one(Evidence, kept[1])
        session.add(Evidence(**{name: getattr(copy, name) for name in copy.__table__.columns.keys() if name != "id"}))  # noqa: SIM118
    home.change(kept[2], label="another")
    home.change(kept[3], wrapped=None)
    home.change(kept[4], wrapped=None, shredded_at=NOW)
    home.change(kept[5], case_id=2)
    home.change(kept[6], address="../../etc/passwd")
    home.change(kept[7], wrapped=home.row(kept[8]).wrapped)
    found = faults(home)
    assert set(found) == {*kept[:1], *kept[2:8], kept[8] + 1}
    assert "has it no more" in found[kept[0]]
    assert "by hand" in found[kept[8] + 1]
    assert "key is gone" in found[kept[3]]
    assert "two persons" in found[kept[4]]
    assert "(case)" in found[kept[5]]


@pytest.mark.parametrize(
    "forge",
    [
        lambda proposal: setattr(proposal, "decided_by", proposal.made_by),
        lambda proposal: setattr(proposal, "decision", "refused"),
        lambda proposal: setattr(proposal, "kind", "grant"),
        lambda proposal: setattr(proposal, "body", {"evidence": [99], "early": True}),
        lambda proposal: setattr(proposal, "decided_by", None),
    ],
)
def test_a_shredding_that_two_persons_did_not_decide_is_named(home: House, forge: Callable[[Proposal], None]) -> None:
    number = home.add().id
    proposal = home.shredded(number)
    assert faults(home) == {}
    with home.desk.store.writing() as session:
        forge(session.get_one(Proposal, proposal.id))
    assert set(faults(home)) == {number}


def test_a_changed_commitment_is_named_though_nobody_touched_the_store(home: House) -> None:
    number = home.add().id
    home.change(number, commitment="sha256:" + "0" * 64)
    assert "commitment" in faults(home)[number]


def test_without_key_file_or_store_nothing_is_said_of_any_object(home: House) -> None:
    home.add()
    path = home.desk.vault.keys.path
    path.rename(path.with_name("away"))
    with pytest.raises(DeskError, match="key file"):
        checking.verify(home.desk, SETUP, NOW)
    path.with_name("away").rename(path)
    home.desk.vault.objects.read = _away  # type: ignore[method-assign]
    with pytest.raises(Unreachable):
        checking.verify(home.desk, SETUP, NOW)
    assert home.audited("evidence.verify") == []


def test_who_may_have_it_run(home: House) -> None:
    home.add(number=ONE)
    for actor in (home.clerk, home.administrator):
        with pytest.raises(Forbidden):
            checking.verify(home.desk, actor, NOW)
    for actor in (home.auditor, home.reviewer, home.officer, SETUP):
        assert checking.verify(home.desk, actor, NOW).checked == 1


def _away(_: str) -> None:
    raise Unreachable("it is away")
