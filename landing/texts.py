"""What the page says, in each language: plain data, one entry a sentence.

Values in braces are filled in, escaped, by `page`. Both languages hold the same keys with the same values in braces (a test holds them to it).
Kept to what is true of every order; what one order says comes from the order itself.
"""

from __future__ import annotations

from types import MappingProxyType

MONTHS = MappingProxyType(
    {
        "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"),
        "fr": ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    }
)

_EN = {
    "language": "English",
    "languages": "Language of this page",
    "hand": "A raised red hand",
    "title": "Blocked: {name}",
    "heading": "Access to this site is blocked",
    "lead_order": "{name} is blocked by an official order. {operator} carries the order out.",
    "lead_orders": "{name} is blocked by {count} official orders. {operator} carries the orders out.",
    "lead_own": "{name} is blocked by choice of {operator}. No authority has ordered it.",
    "alias": "{name} is not itself listed: it is an alias that leads to {listed}, which is.",
    "order": "The order",
    "order_number": "Order {number} of {count}",
    "own": "The operator's own decision",
    "own_explained": "{operator} keeps a block list of its own, and {listed} is on it. "
    "This is the operator's own policy and not an order of any authority.",
    "blocked": "Blocked name",
    "exact": "{listed}, this name only",
    "subtree": "{listed}, and every name under it",
    "ordered_by": "Ordered by",
    "chosen_by": "Chosen by",
    "carried_out_by": "Carried out by",
    "why": "Why",
    "law": "Law",
    "reference": "Public reference",
    "list": "List",
    "issued": "Date of the order",
    "since": "In force since",
    "until": "Until",
    "territory": "Applies in",
    "no_end": "no end date is set",
    "reasons": "Reasons given by the authority",
    "reasons_own": "What the operator says of this list",
    "reasons_other": "The order gives no reasons in English; they are shown as it gives them.",
    "reasons_none": "No statement of reasons comes with this order.",
    "reasons_limited": "By law, some particulars of this order are not public before {date} ({basis}).",
    "transcribed": "{operator} received this order on paper or by message and wrote it down here itself; "
    "its authenticity is not proved on this page by the authority's signature.",
    "demonstration": "Demonstration",
    "demonstration_explained": "This order is not real. Its signatures were verified, and they are those of a demonstration authority, "
    "whose keys are nobody's: the names, the law and the addresses below are invented.",
    "remedies": "What you can do",
    "contest": "Visitors and the site's owner may contest this order.",
    "contest_court": "Visitors and the site's owner may contest this order before: {court}.",
    "deadline": "Time limit given in the order: {days} days.",
    "contest_address": "How to contest it:",
    "contact": "Ask the authority:",
    "contest_unstated": "As written down here, the order names no court and no address for an appeal. "
    "Ask the authority that issued it, giving its public reference.",
    "contest_own": "Ask {operator} to lift the block:",
    "reviewer": "Independent review: {reviewer}.",
    "review_due": "The order is to be reviewed by {date}.",
    "error": "Is this a mistake?",
    "error_explained": "If you think this site is blocked in error, tell {operator}, giving the name of the site and the reference {references}:",
    "privacy": "Your privacy",
    "privacy_explained": "This page records nothing about your visit: no address, no cookie, no log. "
    "It runs no script and loads nothing from elsewhere.",
    "status": "HTTP status 451 (RFC 7725)",
    "unknown_title": "No site at this address",
    "unknown": "This address carries the page that explains blocked sites. "
    "It is not a site, and it knows of nothing that blocks the name you asked for.",
    "unknown_more": "If you expected a site here, its address may have changed, or it was unblocked a moment ago. Wait a minute, then try again.",
    "bad_title": "This request cannot be read",
    "bad": "The request does not say correctly which site it is for. Check the address you typed.",
    "fault_title": "This page is out of order",
    "fault": "Something went wrong on our side, and nothing about your visit was recorded. Try again in a moment.",
    "unready_title": "One moment",
    "unready": "This page has not yet read the list of blocked sites. Try again in a moment.",
    "category_terrorism": "The site provokes acts of terrorism or publicly apologises for them.",
    "category_child_abuse": "The site shows sexual abuse of children.",
    "category_drugs": "The site offers illegal drugs.",
    "category_copyright": "The site infringes copyright.",
    "category_gambling": "The site offers unlicensed gambling.",
    "category_sanctions": "The site is covered by sanctions.",
    "category_fraud": "The site defrauds its visitors.",
}

_FR = {
    "language": "Français",
    "languages": "Langue de cette page",
    "hand": "Une main rouge levée",
    "title": "Bloqué : {name}",
    "heading": "L'accès à ce site est bloqué",
    "lead_order": "{name} est bloqué par une décision officielle. {operator} l'exécute.",
    "lead_orders": "{name} est bloqué par {count} décisions officielles. {operator} les exécute.",
    "lead_own": "{name} est bloqué par choix de {operator}. Aucune autorité ne l'a ordonné.",
    "alias": "{name} n'est pas visé lui-même : c'est un alias qui mène à {listed}, qui l'est.",
    "order": "La décision",
    "order_number": "Décision {number} sur {count}",
    "own": "Décision propre de l'opérateur",
    "own_explained": "{operator} tient sa propre liste de blocage, et {listed} y figure. "
    "C'est la politique de l'opérateur et non la décision d'une autorité.",
    "blocked": "Nom bloqué",
    "exact": "{listed}, ce nom seulement",
    "subtree": "{listed} et tous les noms qui en dépendent",
    "ordered_by": "Ordonné par",
    "chosen_by": "Choisi par",
    "carried_out_by": "Exécuté par",
    "why": "Motif",
    "law": "Loi",
    "reference": "Référence publique",
    "list": "Liste",
    "issued": "Date de la décision",
    "since": "En vigueur depuis le",
    "until": "Jusqu'au",
    "territory": "S'applique dans",
    "no_end": "aucune date de fin n'est fixée",
    "reasons": "Motifs donnés par l'autorité",
    "reasons_own": "Ce que l'opérateur dit de cette liste",
    "reasons_other": "La décision ne donne pas de motifs en français ; ils sont reproduits tels qu'elle les donne.",
    "reasons_none": "Aucun exposé des motifs n'accompagne cette décision.",
    "reasons_limited": "En vertu de la loi, certains éléments de cette décision ne sont pas publics avant le {date} ({basis}).",
    "transcribed": "{operator} a reçu cette décision sur papier ou par message et l'a retranscrite lui-même ; "
    "cette page n'en prouve pas l'authenticité par la signature de l'autorité.",
    "demonstration": "Démonstration",
    "demonstration_explained": "Cette décision n'est pas réelle. Ses signatures ont été vérifiées, et ce sont celles d'une autorité de "
    "démonstration, dont les clés ne sont à personne : les noms, la loi et les adresses ci-dessous sont inventés.",
    "remedies": "Ce que vous pouvez faire",
    "contest": "Les visiteurs et le propriétaire du site peuvent contester cette décision.",
    "contest_court": "Les visiteurs et le propriétaire du site peuvent contester cette décision devant : {court}.",
    "deadline": "Délai indiqué dans la décision : {days} jours.",
    "contest_address": "Comment la contester :",
    "contact": "Interroger l'autorité :",
    "contest_unstated": "Telle que retranscrite ici, la décision ne nomme ni juridiction ni adresse de recours. "
    "Adressez-vous à l'autorité qui l'a prise, en donnant sa référence publique.",
    "contest_own": "Demander la levée du blocage à {operator} :",
    "reviewer": "Contrôle indépendant : {reviewer}.",
    "review_due": "La décision doit être réexaminée au plus tard le {date}.",
    "error": "Est-ce une erreur ?",
    "error_explained": "Si vous pensez que ce site est bloqué par erreur, dites-le à {operator}, "
    "en donnant le nom du site et la référence {references} :",
    "privacy": "Votre vie privée",
    "privacy_explained": "Cette page n'enregistre rien de votre visite : ni adresse, ni cookie, ni journal. "
    "Elle n'exécute aucun script et ne charge rien d'ailleurs.",
    "status": "Statut HTTP 451 (RFC 7725)",
    "unknown_title": "Aucun site à cette adresse",
    "unknown": "Cette adresse porte la page qui explique les sites bloqués. Ce n'est pas un site, et elle ne connaît rien qui bloque le nom demandé.",
    "unknown_more": "Si vous attendiez un site ici, son adresse a pu changer, ou il vient d'être débloqué. Attendez une minute, puis réessayez.",
    "bad_title": "Cette demande est illisible",
    "bad": "La demande ne dit pas correctement à quel site elle s'adresse. Vérifiez l'adresse saisie.",
    "fault_title": "Cette page est en panne",
    "fault": "Une erreur s'est produite de notre côté, et rien de votre visite n'a été enregistré. Réessayez dans un instant.",
    "unready_title": "Un instant",
    "unready": "Cette page n'a pas encore lu la liste des sites bloqués. Réessayez dans un instant.",
    "category_terrorism": "Le site provoque à des actes de terrorisme ou en fait publiquement l'apologie.",
    "category_child_abuse": "Le site montre des violences sexuelles sur des enfants.",
    "category_drugs": "Le site propose des stupéfiants.",
    "category_copyright": "Le site porte atteinte au droit d'auteur.",
    "category_gambling": "Le site propose des jeux d'argent sans agrément.",
    "category_sanctions": "Le site est visé par des sanctions.",
    "category_fraud": "Le site escroque ses visiteurs.",
}


def _set(texts: dict[str, str], tall: str) -> MappingProxyType[str, str]:
    """Texts as a printer sets them: curly apostrophes, and in French a no-break space before tall marks, so that no line begins with one."""
    for key, text in texts.items():
        texts[key] = text.replace("'", "\u2019")
        for mark in tall:
            texts[key] = texts[key].replace(f" {mark}", f"\u00a0{mark}")
    return MappingProxyType(texts)


TEXTS = MappingProxyType({"en": _set(_EN, ""), "fr": _set(_FR, ":;?!")})
LANGUAGES = tuple(TEXTS)
