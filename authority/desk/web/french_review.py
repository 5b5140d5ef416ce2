"""The French of the reviewer's view."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "Review": "Contrôle",
    "Every order there is, the newest first. Open its case to recommend its withdrawal, to confirm an emergency, or to suspend it.": (
        "Tous les ordres, du plus récent au plus ancien. Ouvrez le dossier pour recommander la levée, confirmer une urgence ou suspendre."
    ),
    "Emergencies that lapse unless you confirm them": "Urgences caduques sans votre confirmation",
    "Recommendations without an answer": "Recommandations sans réponse",
    "All": "Tous",
    "Neither published nor dropped": "Ni publiés ni abandonnés",
    "Where it stands": "Où il en est",
    "Since": "Depuis",
    "No order is here.": "Aucun ordre ici.",
}
