"""The French of imports."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "Import referrals": "Importer des signalements",
    "A CSV file, one referral a line. A line that is wrong is told by its number; the others are taken. The same file sent again is not read twice.":
        "Un fichier CSV, un signalement par ligne. Une ligne fautive est indiquée par son numéro ; les autres sont prises. "
        "Le même fichier envoyé de nouveau n'est pas lu deux fois.",
    "Empty: the file's name.": "Vide : le nom du fichier.",
    "UTF-8, at most {most} MiB. Its first line names the columns:": "UTF-8, {most} Mio au plus. Sa première ligne nomme les colonnes :",
    "Names or location is needed; blanks stand between names.": "Il faut names ou location ; les noms sont séparés par des espaces.",
    "Import it": "Importer",
    "Import a file": "Importer un fichier",
    "Imports so far": "Importations jusqu'ici",
    "Begun": "Commencé",
    "Ended": "Terminé",
    "Taken": "Prises",
    "Read": "Lu",
    "Being read": "En lecture",
    "Faulty lines": "Lignes fautives",
    "This file was sent before. No line of it is taken twice.": "Ce fichier a déjà été envoyé. Aucune ligne n'en est prise deux fois.",
    "{percent} % of {octets} octets are read, up to line {line}.": "{percent} % de {octets} octets sont lus, jusqu'à la ligne {line}.",
    "Look again": "Regarder de nouveau",
    "Opened a case": "Ont ouvert un dossier",
    "Joined a case": "Ont rejoint un dossier",
    "Taken before": "Déjà prises",
    "Lines that were not taken": "Lignes qui n'ont pas été prises",
    "Line": "Ligne",
    "What is wrong": "Ce qui ne va pas",
    "What it says": "Ce qu'elle dit",
    "The first {kept} are kept with their reason; the others are counted.":
        "Les {kept} premières sont gardées avec leur motif ; les autres sont comptées.",
    "it has {fields} fields, and the first line names {columns}": "elle a {fields} champs, et la première ligne en nomme {columns}",
    "it is no CSV: {error}": "ce n'est pas du CSV : {error}",
    "choose a file": "choisissez un fichier",
    "it has more than {most} octets": "il a plus de {most} octets",
}  # fmt: skip
