"""The estimates of a study, read back for those who show them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from blocklists.errors import RedHandError, StoreError
from porosity import estimates
from porosity.estimating.verdicts import OWN
from porosity.plan import Plan
from porosity.study import Study

Row = dict[str, Any]


class NothingEstimated(RedHandError):
    """There are no estimates to show, or they are another plan's."""


@dataclass(frozen=True)
class Found:
    """What was estimated of a study."""

    study: Study
    said: Row
    """estimates.json."""
    tables: dict[str, list[Row]]
    """The tables by their names, as `porosity.estimates.TABLES` declares them."""

    @property
    def tested(self) -> list[str]:
        """Ids of the resolvers tested, in the plan's order."""
        return [each.id for each in self.study.plan.resolvers if each.role == "tested"]

    @cached_property
    def overall(self) -> dict[tuple[str, str, str, str, str], Row]:
        """Rates of all lists at all vantages all the time, by measure, scope, family (of a scope of families), vector and resolver."""
        return {
            (each["measure"], each["scope"], each["family"] if each["scope"] == "family" else "", each["vector"], each["resolver"]): each
            for each in self.tables["estimates"]
            if not each["list"] and not each["vantage"] and each["since"] is None
        }

    def rate(self, measure: str, resolver: str, scope: str = "vector", *, vector: str = "", family: str = "") -> Row | None:
        """One of them; None when it was not measured."""
        return self.overall.get((measure, scope, family, vector, resolver))

    def apart(self, by: str) -> Iterator[Row]:
        """The technical leak, apart by `list`, `vantage` or `since` (windows of time) alone."""
        others = {"list", "vantage", "since"} - {by}
        for each in self.tables["estimates"]:
            if (each["measure"], each["scope"]) == ("leak", "technical") and each[by] and not any(each[other] for other in others):
                yield each


def read(study: Study) -> Found:
    """Reads the estimates. Raises NothingEstimated when there are none or they are not of this plan, StoreError when they cannot be read."""
    remedy = f"make them: redhand porosity estimate {study.directory}"
    path = study.estimates / estimates.FILE
    try:
        said = json.loads(path.read_bytes())
        tables = {name: _table(study, name) for name in estimates.TABLES}
    except FileNotFoundError:
        raise NothingEstimated(f"{study.directory} has no estimates; {remedy}") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        raise StoreError(f"the estimates of {study.directory} cannot be read ({error}); {remedy}") from None
    if said.get("format") != estimates.FORMAT:
        raise NothingEstimated(f"{path} has format {said.get('format')!r}, and {estimates.FORMAT} is read; {remedy}")
    if said["plan"] != study.plan.id:
        raise NothingEstimated(f"{path} is of another plan ({said['plan'][:12]}); {remedy}")
    return Found(study, said, tables)


def _table(study: Study, name: str) -> list[Row]:
    rows: list[Row] = pq.read_table(study.estimates / f"{name}.parquet", schema=estimates.TABLES[name]).to_pylist()
    return rows


def ways(plan: Plan, leaking: Sequence[str], most: int) -> str:
    """By which vectors names were reached, in words: those that the resolver can close itself, and then those round it; of either so many at most."""
    families = {each.id: each.family for each in plan.vectors}
    own, round = ([each for each in leaking if (families[each] in OWN) is closes] for closes in (True, False))

    def some(vectors: list[str]) -> str:
        return ", ".join(vectors[:most]) + (f" and {len(vectors) - most} more" if len(vectors) > most else "")

    return "; ".join([some(own)] * bool(own) + [f"round it by {some(round)}"] * bool(round))


def percent(share: float | None) -> str:
    """A share as people read it; a dash for none. What is not none and not all is never written as such."""
    if share is None:
        return "-"
    if 0 < share < 0.0005:
        return "<0.1 %"
    if 0.9995 <= share < 1:
        return ">99.9 %"
    return f"{share * 100:.1f} %"


def between(row: Row | None) -> str:
    """A rate with its interval; a dash for none."""
    return "-" if row is None else f"{percent(row['share'])} ({percent(row['low'])} to {percent(row['high'])})"
