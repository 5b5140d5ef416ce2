"""In which language somebody outside the house is written to, when nobody says: the one used with them before, else the case's, else the house's."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import texts
from authority.desk.desk import Desk
from authority.desk.tables import Case, Event
from authority.desk.wording import Kind


def of_owner(session: Session, desk: Desk, case: Case, kind: Kind) -> str:
    """The language for whom an order concerns: of the newest removal request; else as `of_case`."""
    return _of_step(session, case, "request_removal") or of_case(session, desk, case, kind)


def of_appeal(session: Session, desk: Desk, case: Case, reference: str) -> str:
    """The language in which an appeal came; else as `of_case`."""
    return _of_step(session, case, "file_appeal", appeal=reference) or of_case(session, desk, case, "appeal_decided")


def of_case(session: Session, desk: Desk, case: Case, kind: Kind) -> str:
    """The first language of the case's reasons that the message can be written in; else the first of the house's own texts; else English."""
    able = texts.languages(session, desk, kind)
    reasons = (case.facts.get("reasons") or {}) if isinstance(case.facts, dict) else {}
    for language in reasons:
        if language in able or language.partition("-")[0] in able:
            return str(language)
    return texts.first(session, desk, kind)


def _of_step(session: Session, case: Case, step: str, **same: str) -> str:
    found = session.scalars(select(Event.details).where(Event.case_id == case.id, Event.step == step).order_by(Event.number.desc()))
    return next((str(each["language"]) for each in found if each.get("language") and all(each.get(k) == v for k, v in same.items())), "")
