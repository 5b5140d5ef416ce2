"""The API, /api/v1: what people do on the desk's pages, for their programs, and what trusted flaggers' do. Described at /api/v1/openapi.json.

Each call stands for one service function, with the same rules, the same audit lines, and the rights of whose token it carries. Errors are problem
details (RFC 9457); `detail` says what is wrong and what to do, `field` names what it is about.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Security
from fastapi.security import HTTPBearer

from authority.desk.errors import BadField
from authority.desk.web.api import audit, cases, compliance, documents, evidence, orders, people, proposals, referrals, review
from authority.desk.web.api.shapes.common import Problem

_BEARER = HTTPBearer(auto_error=False, description="A person's token, made on the page of the account; or a trusted flagger's.")
MEANINGS = {
    400: "It cannot be done.",
    401: "There is no token, or it has ended.",
    403: "Whose token it is may not do this.",
    404: "It does not exist, or not for whose token it is.",
    409: "It cannot be done now.",
    413: "That is too large.",
    415: "It is text in another encoding than UTF-8.",
    422: "A field is missing or impossible.",
    429: "Too many came in so short a time.",
    503: "The desk is busy; nothing was changed.",
}


def _plain(request: Request, _: Annotated[Any, Security(_BEARER)]) -> None:
    """No database takes a zero in a text, nor half a surrogate pair."""
    for field, value in [*request.path_params.items(), *request.query_params.items()]:
        text = f"{field}{value}"
        if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
            raise BadField(field.replace("\0", "")[:40] or "query", "it has a character that no text has")


def _problems() -> dict[int | str, dict[str, Any]]:
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    return {status: {"description": text, "content": content} for status, text in MEANINGS.items()}


router = APIRouter(prefix="/api/v1", dependencies=[Depends(_plain)], responses=_problems())
for _part in (referrals, cases, orders, evidence, review, proposals, people, documents, audit, compliance):
    router.include_router(_part.router)
