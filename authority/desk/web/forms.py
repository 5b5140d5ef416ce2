"""The forms of the case page: for each step that a person takes there, what must be filled in. Data, no code; `acts` does what they ask.

A step that a person takes elsewhere stands in ELSEWHERE with its page, so that no step of the machine is without a place.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["line", "text", "choice", "names", "hours", "number", "date", "mail"]


class Field(NamedTuple):
    """One field."""

    name: str
    label: str
    kind: Kind = "line"
    hint: str = ""
    needed: bool = True
    choices: tuple[str, ...] | str = ()
    """Values, whose labels are in `labels.CHOICES`; or a list that the page knows: categories, officers, appeals, reports,
    recommendations, messages."""


class Form(NamedTuple):
    """One form: a heading, what it does in a line, its fields, and `why`, which every step needs."""

    title: str
    says: str = ""
    fields: tuple[Field, ...] = ()
    why: str = "Why"
    main: bool = False
    """Whether it moves the case on; the others stand behind those that do."""
    button: str = "Record it"


FORMS: dict[str, Form] = {
    "alert": Form("Emergency service was told", "", (Field("told", "Who was told, and how"),), main=True),
    "decide_appeal": Form(
        "Decide an appeal",
        "Who appealed is told. Lifting or amending the order takes an order of its own.",
        (
            Field("appeal", "Appeal", "choice", choices="appeals"),
            Field("decision", "Decision", "choice", choices=("upheld", "lifted", "amended")),
            Field("answer", "Answer to who appealed", "text"),
        ),
        main=True,
    ),
    "answer_report": Form(
        "Answer reports of an error",
        "Visitors read it by a reference, and who gave an address has it by mail too. Lifting or amending the order takes an order of its own.",
        (
            Field("report", "Reports", "choice", choices="reports"),
            Field("decision", "Decision", "choice", choices=("upheld", "lifted", "amended", "elsewhere")),
            Field("answer", "Answer to who reported it", "text", "Public to whoever knows a reference: repeat nothing that a visitor wrote."),
            Field("language", "Language of the answer", "choice", choices=("en", "fr")),
        ),
        main=True,
        button="Answer",
    ),
    "answer_recommendation": Form(
        "Answer the reviewer",
        "",
        (
            Field("recommendation", "Recommendation", "choice", choices="recommendations"),
            Field("answer", "Answer", "choice", choices=("followed", "refused")),
        ),
        main=True,
    ),
    "assess": Form(
        "Assess",
        "Say what the content is found to be. The category decides the clocks and who may sign.",
        (Field("category", "Category", "choice", choices="categories"), Field("finding", "Finding", "text", "What was seen, and where.")),
        main=True,
    ),
    "request_removal": Form(
        "Request removal",
        "The message is written from the house's template and sent at once; the deadline runs from then.",
        (
            Field("recipient", "E-mail address of who could remove it", "mail"),
            Field("kind", "Addressed as", "choice", choices=("host", "publisher", "registrar")),
            Field("language", "Language of the message", "choice", choices=("en", "fr")),
            Field("hours", "Hours to answer", "hours", "Empty: as the procedure says.", needed=False),
        ),
        main=True,
        button="Send the request",
    ),
    "record_posted": Form(
        "Message was posted",
        "Without a mail server, messages are files that a person posts. What was asked for runs from then.",
        (
            Field("message", "Message", "choice", choices="messages"),
            Field("hours", "Posted how many hours ago", "hours", "Empty: just now.", needed=False),
        ),
        why="How it was posted",
        main=True,
    ),
    "record_removed": Form("Content is removed", "The case is closed.", main=True),
    "record_refusal": Form("Removal is refused", "An order may then be drafted.", main=True),
    "owner_unidentifiable": Form("Owner is unidentifiable", "Say what was tried. An order may then be drafted.", main=True),
    "declare_emergency": Form(
        "Declare an emergency",
        "No removal is requested first. The order lapses after 72 hours unless the reviewer confirms it.",
        (Field("ground", "Ground", "text", "Why waiting would do harm that cannot be undone."),),
        main=True,
    ),
    "dismiss": Form("Dismiss", "Nothing is to be done. The case is closed.", main=True),
    "recheck": Form(
        "Check the content again",
        "When it is gone, the order must be withdrawn without delay.",
        (Field("found", "Found", "choice", choices=("still", "gone", "unclear")),),
        main=True,
    ),
    "recommend_withdrawal": Form("Recommend withdrawal", "Officers must answer within a clock.", main=True, button="Recommend it"),
    "restored": Form("Names are restored", "Only where operators' receipts do not say so by themselves. The case is closed.", main=True),
    "reopen": Form("Open again", "", main=True, button="Open again"),
    "assign": Form("Assign", "", (Field("officer", "To", "choice", choices="officers"),), button="Assign"),
    "note": Form("Add a note", why="Note", button="Add"),
    "set_names": Form(
        "Change the names",
        "",
        (Field("names", "Names", "names", "One a line; a dot in front means: with all names below it."),),
        button="Change them",
    ),
    "escalate": Form("Mark as a threat to life", "Officers are told at once, and a clock of its own begins."),
    "stand_down": Form("No longer a threat to life"),
    "notify_owner": Form(
        "Notify the owner",
        "",
        (
            Field("recipient", "E-mail address", "mail"),
            Field("occasion", "Occasion", "choice", choices=("block", "lift", "suspend", "amend")),
        ),
        button="Send it",
    ),
    "owner_not_notified": Form(
        "Owner cannot be notified", "", (Field("occasion", "Occasion", "choice", choices=("block", "lift", "suspend", "amend")),), why="Why not"
    ),
    "file_appeal": Form(
        "File an appeal that came by letter",
        "",
        (
            Field("standing", "From", "choice", choices=("owner", "host", "visitor", "other")),
            Field("words", "What it says", "text"),
            Field("contact", "E-mail address for the answer", "mail", needed=False),
        ),
        button="File it",
    ),
    "annul": Form(
        "A court has annulled the order",
        "The order must be withdrawn within a clock.",
        (Field("court", "Court"), Field("decided_at", "Decided on", "date"), Field("reference", "Its reference", needed=False)),
    ),
    "refer_to_court": Form("Go to court", "", (Field("court", "Court"),)),
}
"""In the order in which the page shows them: what waits for an answer first."""

ELSEWHERE: dict[str, str] = {
    "refer": "the page for a new case",
    **dict.fromkeys(("draft", "draft_follower"), "the case's page, under orders"),
    **dict.fromkeys(
        (
            "override_guard", "open_signing", "add_signature", "abandon_draft", "abandon_follower",
            "publish", "confirm_emergency", "renew", "amend", "suspend", "withdraw",
        ),
        "the order's page",
    ),
    **dict.fromkeys(("add_evidence", "hold_evidence", "extend_evidence", "release_evidence", "shred_evidence"), "the page of the case's evidence"),
}  # fmt: skip
"""Where a person takes the steps that have no form on the case page."""
