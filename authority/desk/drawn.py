"""docs/case.md, made from the state machine and the procedure: `python -m authority.desk.drawn > docs/case.md`. Pure; a test holds them equal."""

from __future__ import annotations

import sys

from authority.desk import procedure, states
from authority.desk.procedure import ClockRule, Procedure
from authority.desk.states import STATES, STEPS, State, Step

_WHO = {
    "case.open": "clerk or officer",
    "case.work": "clerk or officer",
    "case.decide": "officer",
    "case.sign": "officer or reviewer",
    "case.publish": "clerk, officer or reviewer",
    "review.decide": "reviewer",
    "evidence.add": "clerk or officer",
    "evidence.delete": "officer or reviewer",
    "clock": "the clock",
    "log": "the log",
    "public": "the public or a trusted flagger",
}
_MEANING: dict[State, str] = {
    "received": "A referral came; nobody has looked yet.",
    "assessed": "Somebody looked: the content has a category. Who could remove it is to be asked.",
    "requested": "Host, publisher or registrar was asked to remove it, and has until the deadline.",
    "unanswered": "They refused, or the deadline passed.",
    "unidentifiable": "Nobody can be found who could be asked; it is recorded why.",
    "emergency": "An officer decided, on a recorded ground, not to wait for a removal.",
    "drafted": "An order is written, and the guards have looked at it.",
    "signing": "Officers take the order away, sign it on their own machines, and bring it back.",
    "in_force": "The order is in the public log; operators block.",
    "suspended": "The order is suspended for 72 hours at most; operators do not block.",
    "withdrawn": "A signed withdrawal is in the log; operators restore.",
    "expired": "The order ended by its own terms; operators restore.",
    "lapsed": "An emergency order ended because the reviewer did not confirm it; operators restore.",
    "restored": "Operators have restored the names. The case is closed.",
    "removed": "The content was removed. The case is closed.",
    "dismissed": "Nothing is to be done. The case is closed.",
}
_HEAD = """\
# A case, from a referral to its end

<!-- Made from the program: python -m authority.desk.drawn > docs/case.md -->

A case is in one state. A step takes it to another, or leaves it where it is; each stands in its timeline with who took it, when and why, and
nothing else changes a state. What a step starts and stops is time: the clocks below are data, which two persons change (`procedure`).

"""
_CLOCKS = """
## Clocks

The default procedure: the French rules of 2015. A category may have hours of its own for any clock. When a clock has run out, those whom it tells
get one message, and the program that `desk.hook` names is run; a clock that takes a step takes it by itself. A deadline that a step brings
along (that of a request, the end that an order names) goes before the hours. A clock that outlives the case runs on when it has ended: somebody
still waits for an answer.

"""
_FIELDS = """
## The procedure's fields

`begins`, `ends`: steps that start and stop the clock; the end of the case stops all but those that outlive it. `hours`: how long; without, it runs
only in categories that give it hours. `until`: the detail of the step that says when it is due. `since: referral`: the hours count from the first
referral. `anew: false`: a step that would start it while it runs leaves it as it is. `each`: several run at once, one for each appeal,
recommendation or message. `only`: `emergency` and `urgent` cases, or `dated`: when `until`'s detail is there. `states`: it runs only in these.
`when`, `ends_when`: details that the starting and the stopping step must have. `tell`, `warn`: whom it tells, beside the case's officer, when it is
overdue, and so many hours before. `takes`: the step that it takes.
"""


def mermaid() -> str:
    """The states, and the steps that lead from one to another."""
    edges: dict[tuple[State, State], list[str]] = {}
    for name, step in STEPS.items():
        if step.target is None or step.sources == frozenset(STATES):
            continue
        for source in STATES:
            if source in step.sources:
                edges.setdefault((source, step.target), []).append(name)
    lines = ["stateDiagram-v2", "    [*] --> received: refer"]
    lines += [f"    {source} --> {target}: {', '.join(names)}" for (source, target), names in edges.items()]
    lines += [f"    {state} --> [*]" for state in STATES if state in states.CLOSED]
    return "\n".join(lines)


def page(given: Procedure) -> str:
    """The whole page."""
    parts = [_HEAD, f"```mermaid\n{mermaid()}\n```\n", "\n## States\n\n| state | |\n| --- | --- |\n"]
    parts += [f"| `{state}` | {_MEANING[state]} |\n" for state in STATES]
    parts.append("\n## Steps\n\nEvery step needs why; some need more.\n\n| step | from | to | by | needs |\n| --- | --- | --- | --- | --- |\n")
    parts += [_step(name, step) for name, step in STEPS.items()]
    parts.append(_CLOCKS)
    parts.append("| clock | starts | stops | hours | tells | then |\n| --- | --- | --- | --- | --- | --- |\n")
    parts += [_clock(name, rule, given) for name, rule in given.clocks.items()]
    parts.append(_FIELDS)
    return "".join(parts)


def _step(name: str, step: Step) -> str:
    able = [state for state in STATES if state in step.sources]
    lacks = [state for state in STATES if state not in step.sources]
    sources = "any" if not lacks else f"any but {_codes(lacks)}" if len(lacks) < len(able) / 2 else _codes(able)
    target = f"`{step.target}`" if step.target else "stays"
    who = ", ".join(dict.fromkeys(_WHO[doer] for doer in step.doers))
    return f"| `{name}` | {sources} | {target} | {who} | {_codes(step.needs) or 'none'} |\n"


def _clock(name: str, rule: ClockRule, given: Procedure) -> str:
    hours = [f"{rule.hours:g}"] if rule.hours else ["none"]
    hours += [f"{category} {one.clocks[name]:g}" for category, one in given.categories.items() if name in one.clocks]
    limits = [f"only {rule.only}"] if rule.only else []
    limits += [f"{detail}: {value}" for detail, value in rule.when.items()]
    starts = _codes(rule.begins) + (f" ({'; '.join(limits)})" if limits else "")
    stops = _codes(rule.ends) + "".join(f" ({detail}: {value})" for detail, value in rule.ends_when.items())
    if rule.states:
        stops += f"{', or ' if stops else ''}leaving {_codes(rule.states)}"
    tells = rule.tell + (f", {rule.warn:g} h before" if rule.warn else "")
    then = [f"takes `{rule.takes}`"] if rule.takes else []
    then += ["outlives the case"] if rule.outlives else []
    shown = "; ".join(hours) + (f", or `{rule.until}`" if rule.until else "") + (" from the referral" if rule.since == "referral" else "")
    return f"| `{name}` | {starts} | {stops or 'the end of the case'} | {shown} | {tells} | {', '.join(then) or 'none'} |\n"


def _codes(names: tuple[str, ...] | list[State]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    sys.stdout.write(page(procedure.load(procedure.DEFAULT)))
