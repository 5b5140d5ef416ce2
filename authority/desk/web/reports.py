"""Reports of errors that wait for an answer, by order. A report is answered on the page of its order's case; without a case, here."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from authority.desk import error_reports
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict
from authority.desk.web import labels
from authority.desk.web.case import Failed, Filled
from authority.desk.web.page import page
from authority.desk.web.who import Posted, SignedIn, TheDesk, Who

router = APIRouter()


@router.get("/reports")
def reports(request: Request, who: SignedIn, desk: TheDesk) -> HTMLResponse:
    """Those that wait longest first."""
    return _page(request, who, desk)


@router.post("/reports")
def answer(request: Request, who: Posted, desk: TheDesk, given: Filled) -> Response:
    """Answers all that wait about one order that has no case here."""
    order, which, decision = given.get("order", ""), given.get("report", ""), given.get("decision", "")
    who.actor.require("case.decide")
    try:
        with desk.store.writing() as session:
            error_reports.answer_without_case(
                session, desk, who.actor, order, which, decision, given.get("answer", ""), given.get("language", ""), desk.now()
            )
    except (BadField, Conflict) as error:
        field, text = (error.field, error.text) if isinstance(error, BadField) else ("", str(error))
        return _page(request, who, desk, error.status, Failed(order, field, text, given))
    return RedirectResponse("/reports", 303)


def _page(request: Request, who: Who, desk: Desk, status: int = 200, failed: Failed | None = None) -> HTMLResponse:
    with desk.store.reading() as session:
        found = error_reports.waiting(session, who.actor)
        places = error_reports.placed(session, found)
        bare = [each.order_id for each in found if each.case_id is None]
        said = {order: error_reports.without_case(session, who.actor, order, 10) for order in bare}
        whole = error_reports.count(session)
    return page(
        request, who, "reports.html", status, found=found, cases={number: case for number, (case, _) in places.items()},
        due_at={number: due for number, (_, due) in places.items()}, said=said, whole=whole, labels=labels,
        decisions=error_reports.DECISIONS, failed=failed or Failed(), may_answer=who.actor.may("case.decide"),
    )  # fmt: skip
