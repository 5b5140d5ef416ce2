"""Would this name be blocked, by what, and why: the verdict with everything that bears on it.

Pure but for the version it reads: the moment is given, and nothing is asked of the network, so a name that only leads to a listed one (by a CNAME)
is not found here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from blocklists import names
from blocklists.index import Rule
from blocklists.store import Version

Verdict = Literal["blocked", "passed", "not listed"]


@dataclass(frozen=True)
class Covering:
    """One rule that touches the name, and what it does to it now."""

    rule: Rule
    listed: str
    """The listed name, as text."""
    effect: str
    """Why it decides, or why not."""
    basis: dict[str, Any]
    """The directive, or the list's description."""

    def to_json(self) -> dict[str, Any]:
        """The rule as a machine reads it; times in unix seconds, 0 for none."""
        rule = self.rule
        return {
            "kind": rule.kind,
            "mode": rule.mode,
            "reference": rule.reference,
            "match": rule.match,
            "listed": self.listed,
            "starts": rule.starts,
            "ends": rule.ends,
            "effect": self.effect,
            "basis": self.basis,
        }


@dataclass(frozen=True)
class Report:
    """What one version says of one name at one moment."""

    name: str
    verdict: Verdict
    decides: Covering | None
    """The rule that blocks, or the one that passes; None when nothing does."""
    covering: list[Covering]
    """Every rule that touches the name, the deciding one included: longest listed name first."""
    serial: int
    identity: str
    now: int
    """Unix seconds."""

    def to_json(self) -> dict[str, Any]:
        """The report as a machine reads it."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "decides": self.decides.to_json() if self.decides else None,
            "covering": [covering.to_json() for covering in self.covering],
            "version": {"serial": self.serial, "identity": self.identity},
            "now": self.now,
        }

    def to_text(self) -> str:
        """The report as a person reads it, several lines without the last newline."""
        lines = [f"{self.name}: {self._headline()}"]
        if self.decides is not None:
            lines += [f"  {label}: {value}" for label, value in _facts(self.decides)]
        others = [covering for covering in self.covering if covering is not self.decides]
        if others:
            lines.append("  also listed:")
            lines += [f"    {_title(covering)} ({covering.effect})" for covering in others]
        lines.append(f"  version: {self.serial}, {self.identity[:16]}")
        return "\n".join(lines)

    def _headline(self) -> str:
        if self.decides is None:
            return "not blocked; no rule in force covers it" if self.covering else "not blocked; nothing lists it"
        if self.verdict == "passed":
            return f"not blocked; passed by {_title(self.decides)}"
        return f"blocked ({self.decides.rule.mode}) by {_title(self.decides)}"


def check(version: Version, name: str, now: int) -> Report:
    """What the version says of `name` at `now` (unix seconds). Raises BadName when it is no name, StoreError when the entries are damaged."""
    wire = names.parse(name)
    key = names.key(wire)
    verdict: Verdict = "not listed"
    rules = version.index.covering(key)
    decides = version.index.find(key, now)
    if decides is not None:
        verdict = "blocked"
    elif (passes := next((rule for rule in rules if rule.kind == "pass" and rule.in_force(now)), None)) is not None:
        verdict, decides = "passed", passes
    covering = [Covering(rule, names.key_text(rule.key), _effect(rule, decides, now), version.basis(rule)) for rule in rules]
    deciding = next((found for found in covering if found.rule == decides), None)
    return Report(names.to_text(wire), verdict, deciding, covering, version.serial, version.identity, now)


def _effect(rule: Rule, decides: Rule | None, now: int) -> str:
    if now < rule.starts:
        return f"not yet in force: starts {_when(rule.starts)}"
    if rule.ends and rule.ends <= now:
        return f"no longer in force: ended {_when(rule.ends)}"
    if rule == decides:
        return "in force, decides"
    if decides is not None and decides.kind == "directive" and rule.kind == "directive":
        return "in force; a directive with a longer listed name, or listed before it, decides"
    if decides is not None and decides.kind == "directive":
        return "in force, but a directive outranks it"
    if rule.kind == "own" and decides is not None and decides.kind == "pass":
        return "in force, but passed by the operator"
    return "in force; another of the operator's lists decides"


def _title(covering: Covering) -> str:
    rule = covering.rule
    what = {"directive": "directive", "own": "the operator's list", "pass": "the operator's pass list"}[rule.kind]
    under = " and everything under it" if rule.match == "subtree" else ""
    return f"{what} {rule.reference}, which lists {covering.listed}{under}"


def _facts(covering: Covering) -> list[tuple[str, str]]:
    rule, basis = covering.rule, covering.basis
    facts = [("source", f"{basis.get('source', '')} (layer {basis.get('layer', '')})")]
    if rule.kind == "directive":
        facts.append(
            ("verified", "yes, its signatures were checked here" if basis.get("verified") is True else "no: a transcription by the operator")
        )
    if basis.get("demonstration") is True:
        facts.append(("DEMONSTRATION", "by an authority whose keys are nobody's; it orders nothing"))
    facts += [(label, str(basis[label])) for label in ("category", "legal_basis", "digest") if basis.get(label)]
    facts.append(("in force", f"{_when(rule.starts) if rule.starts else 'always'} to {_when(rule.ends) if rule.ends else 'no end'}"))
    return facts


def _when(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s after 1970"
