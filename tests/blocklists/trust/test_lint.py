"""The lint over real TUF metadata: what the libraries let through."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import SSlibKey
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, Role, Root, Targets

from blocklists.errors import BadDocument
from blocklists.trust import lint
from tests.blocklists.trust import office
from tests.blocklists.trust.office import epoch, make_policy, policy_document

PEOPLE = {"root-1": "Ada", "root-2": "Ben", "root-3": "Cleo"}


def keyid(name: str) -> str:
    return office.key(name).keyid


def _tuf(*names: str) -> dict[str, SSlibKey]:
    return {keyid(name): SSlibKey.from_dict(keyid(name), copy.deepcopy(office.public(name))) for name in names}


def _root() -> dict[str, Any]:
    holders, online = [keyid(name) for name in PEOPLE], [keyid("online")]
    roles = {"root": Role(holders, 2), "targets": Role(holders, 2), "snapshot": Role(online, 1), "timestamp": Role(online, 1)}
    ours = {"people": {keyid(name): person for name, person in PEOPLE.items()}}
    return Root(1, None, None, _tuf(*PEOPLE, "online"), roles, True, {"redhand": ours}).to_dict()


def _targets() -> dict[str, Any]:
    delegations = Delegations(_tuf("online"), {"checkpoint": DelegatedRole("checkpoint", [keyid("online")], 1, True, ["checkpoint"])})
    return Targets(1, None, None, {}, delegations).to_dict()


def _alias(signed: dict[str, Any]) -> None:
    """The key of root-1 under a second id, which the role names too: one holder's signature counts as two."""
    signed["keys"]["ab" * 32] = copy.deepcopy(signed["keys"][keyid("root-1")])
    signed["roles"]["root"]["keyids"].append("ab" * 32)


def test_the_library_counts_one_key_under_two_ids_as_two() -> None:
    """Which is why the lint is there: of three needed, one holder signs twice."""
    signed = _root()
    _alias(signed)
    signed["roles"]["root"]["threshold"] = 2
    root: Metadata[Root] = Metadata(Root.from_dict(copy.deepcopy(signed)))
    root.sign(office.signer("root-1"))
    again = copy.copy(root.signatures[keyid("root-1")])
    again.keyid = "ab" * 32
    root.signatures["ab" * 32] = again
    root.verify_delegate("root", root)
    with pytest.raises(BadDocument, match="could count twice"):
        lint.check(signed, _targets(), make_policy())


def test_a_sound_authority_passes() -> None:
    lint.check(_root(), _targets(), make_policy(holders={"root": ["Ada", "Ben"], "administrators": ["Dora"]}))


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(signed: dict[str, Any]) -> None:
        *above, last = path.split("/")
        for name in above:
            signed = signed[name]
        signed[last] = value

    return change


IDENTITY = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "01" + "00" * 31}}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_alias, "could count twice"),
        (_set(f"keys/{keyid('root-1')}", IDENTITY), "small order"),
        (_set(f"keys/{keyid('root-1')}", {"keytype": "rsa", "scheme": "x", "keyval": {"public": "x"}}), "not a public key"),
        (_set("roles/root/keyids", [keyid("root-1")] * 2), "names a key twice"),
        (_set("roles/root/keyids", ["cd" * 32]), "or one that is not there"),
        (_set("roles/root/threshold", 4), "4 of the 3 keys of 'root' must sign"),
        (_set("roles/root/threshold", 0), "must sign, and cannot"),
        (_set("roles/timestamp/keyids", [keyid("root-2")]), "holder of root or targets and online role"),
        (_set(f"redhand/people/{keyid('root-2')}", " ada"), "holds two of its keys"),
        (_set("redhand/people", []), "another kind"),
        (_set("redhand", None), "another kind"),
        (_set("roles", {}), "another kind"),
    ],
)
def test_root_metadata_that_would_count_wrongly_is_refused(change: Callable[[dict[str, Any]], None], complaint: str) -> None:
    signed = _root()
    change(signed)
    with pytest.raises(BadDocument, match=complaint):
        lint.check(signed, _targets(), make_policy())


def test_delegated_keys_are_judged_too() -> None:
    signed = _targets()
    signed["delegations"]["keys"]["ab" * 32] = office.public("online")
    with pytest.raises(BadDocument, match=r"targets: the key .* could count twice"):
        lint.check(_root(), signed, make_policy())
    lint.check(_root(), Targets(1, None, None, {}).to_dict(), make_policy())


def _office(name: str, **fields: Any) -> dict[str, Any]:
    officers = epoch()["officers"]
    return policy_document(epoch(officers={**officers, name: {**officers[name], **fields}}))


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (_office("n1", person="ADA"), "'ADA' is holder of root or targets and officer n1"),
        (_office("r1", person="Ben"), "'Ben' is holder of root or targets and reviewer r1"),
        (_office("r1", key=office.public("root-1")), "is holder of root or targets and reviewer r1"),
        (_office("n1", key=office.public("log")), "online role and officer n1"),
        (policy_document(holders={"root": [], "administrators": ["person n1"]}), "officer n1 and administrator"),
        (policy_document(holders={"root": ["Person R1"], "administrators": []}), "reviewer r1 and holder of root or targets"),
        (policy_document(holders={"root": [], "administrators": ["Cleo"]}), "holder of root or targets and administrator"),
        (policy_document(operators={"isp-1": {"name": "A", "key": office.public("n1")}}), "officer n1 and operator isp-1"),
        (policy_document(log={"origin": office.ORIGIN, "key": office.public("root-1")}), "holder of root or targets and online role"),
    ],
)
def test_one_key_or_person_in_two_places_that_check_each_other_is_refused(document: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadDocument, match=complaint):
        lint.check(_root(), _targets(), office.policy.from_document(document))


def test_who_changed_office_in_a_new_epoch_is_judged_by_the_new_one() -> None:
    officers = {name: one for name, one in epoch()["officers"].items() if name != "n4"}
    lint.check(_root(), _targets(), make_policy(epoch(), epoch(9, officers=officers), holders={"root": ["person n4"], "administrators": []}))


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, item in inner for place in _places(item, (*path, name)))]


@given(st.data())
def test_metadata_of_any_shape_passes_or_is_refused_by_our_own_error(data: st.DataObject) -> None:
    """And whatever passes has each key under its own id, and no role that counts one key twice."""
    signed = [_root(), _targets()]
    document = data.draw(st.sampled_from(signed))
    *above, last = data.draw(st.sampled_from(_places(document)[1:]))
    inner: Any = document
    for name in above:
        inner = inner[name]
    inner[last] = data.draw(st.sampled_from([None, True, 0, 1, "", "x", [], {}, ["x"], {"x": 1}, keyid("root-1"), [keyid("root-1")] * 2]))
    try:
        lint.check(signed[0], signed[1], make_policy())
    except BadDocument:
        return
    delegations = signed[1].get("delegations") or {"keys": {}, "roles": []}
    keys = signed[0]["keys"] | delegations["keys"]
    assert all(lint.load_key(key, "it").keyid == name for name, key in keys.items())
    for role in (*signed[0]["roles"].values(), *delegations["roles"]):
        assert 1 <= role["threshold"] <= len(set(role["keyids"]) & keys.keys()) == len(role["keyids"])
