"""The shell's French, and that of people, proposals and documents; other parts have catalogues of their own (`language.CATALOGUES`)."""

from __future__ import annotations

from authority.desk.web.french_refusals import REFUSALS

_SHELL = {
    "The desk": "Le bureau",
    "To the content": "Aller au contenu",
    "To the beginning": "Retour à l'accueil",
    "Main": "Principal",
    "Sign out": "Se déconnecter",
    "Times are in UTC. Who reads a case is logged.": "Les heures sont en UTC. Toute lecture d'un dossier est consignée.",
    "Cases": "Dossiers",
    "Review": "Contrôle",
    "Compliance": "Exécution",
    "Proposals": "Propositions",
    "Rules and lists": "Règles et listes",
    "People": "Personnes",
    "Audit log": "Journal d'audit",
    "in {time}": "dans {time}",
    "overdue by {time}": "en retard de {time}",
    "clerk": "agent",
    "officer": "officier",
    "reviewer": "personnalité qualifiée",
    "operator": "opérateur",
    "administrator": "administrateur",
    "auditor": "auditeur",
    "More": "Suite",
    "Older": "Plus anciens",
    "Why": "Motif",
    "When": "Quand",
    "Who": "Qui",
    "What": "Quoi",
    "About": "Objet",
    "Name": "Nom",
    "Save": "Enregistrer",
    "Show": "Afficher",
    "Details": "Détails",
    "Text": "Texte",
    "yes": "oui",
    "no": "non",
    "none yet": "aucun pour l'instant",
    "not yet": "pas encore",
    "Error": "Erreur",
    "This cannot be done": "Cela ne peut pas être fait",
    "Sign in first": "Connectez-vous d'abord",
    "You may not do this": "Vous n'y êtes pas autorisé",
    "There is nothing here": "Il n'y a rien ici",
    "This cannot be done now": "Cela ne peut pas être fait maintenant",
    "That is too large": "C'est trop volumineux",
    "Something in the form is missing or wrong": "Le formulaire est incomplet ou erroné",
    "Too many tries": "Trop de tentatives",
    "A fault of ours": "Une erreur de notre part",
    "The desk is busy": "Le bureau est occupé",
}
_ACCOUNT = {
    "Sign in": "Se connecter",
    "Login": "Identifiant",
    "Password": "Mot de passe",
    "Sign in with the house's account": "Se connecter avec le compte de la maison",
    "I have an invitation code": "J'ai un code d'invitation",
    "You are signed out.": "Vous êtes déconnecté.",
    "Your password is set. Sign in with it.": "Votre mot de passe est enregistré. Connectez-vous avec.",
    "Choose a password": "Choisir un mot de passe",
    "Your code has two halves: who proposed your account has the first, who confirmed it the second. Each tells you theirs alone.": (
        "Votre code a deux moitiés : qui a proposé votre compte détient la première, qui l'a confirmé la seconde. Chacun ne vous donne que la sienne."
    ),
    "First half of the code": "Première moitié du code",
    "Second half of the code": "Seconde moitié du code",
    "New password": "Nouveau mot de passe",
    "New password, again": "Nouveau mot de passe, encore une fois",
    "At least 12 characters. A few words that have nothing to do with you are good.": (
        "Au moins 12 caractères. Quelques mots sans rapport avec vous conviennent bien."
    ),
    "Set the password": "Enregistrer le mot de passe",
    "Your account": "Votre compte",
    "It is changed.": "C'est modifié.",
    "Your password is changed. You are signed out everywhere else.": "Votre mot de passe est modifié. Vous êtes déconnecté partout ailleurs.",
    "The token is ended.": "Le jeton est révoqué.",
    "You are signed out everywhere else.": "Vous êtes déconnecté partout ailleurs.",
    "This is the token. It is shown only now; keep it as you keep a password.": (
        "Voici le jeton. Il n'est affiché que maintenant ; gardez-le comme un mot de passe."
    ),
    "Roles": "Rôles",
    "Role": "Rôle",
    "Office": "Fonction",
    "Operator": "Opérateur",
    "Mail and language": "Courriel et langue",
    "Mail address": "Adresse de courriel",
    "Overdue clocks and threats to life are told here.": "Les délais dépassés et les menaces pour la vie y sont signalés.",
    "Language": "Langue",
    "as the browser says": "celle du navigateur",
    "Your password": "Votre mot de passe",
    "Change the password": "Changer le mot de passe",
    "Where you are signed in": "Vos sessions",
    "Here, and in {count} other places.": "Ici, et dans {count} autres endroits.",
    "Sign out everywhere else": "Se déconnecter partout ailleurs",
    "Tokens for programs": "Jetons pour programmes",
    "A program with a token may do whatever you may do. It cannot sign orders: keys are not here.": (
        "Un programme muni d'un jeton peut tout ce que vous pouvez. Il ne peut pas signer d'ordre : les clés ne sont pas ici."
    ),
    "What for": "Usage",
    "Made": "Créé",
    "Ends": "Expire",
    "End it": "Révoquer",
    "Make a token": "Créer un jeton",
    "Days until it ends": "Jours avant expiration",
    "email": "courriel",
    "password": "mot de passe",
    "old": "mot de passe actuel",
    "again": "deuxième saisie",
    "label": "usage",
    "days": "jours",
    "language": "langue",
}
_PEOPLE = {
    "Propose somebody new": "Proposer une nouvelle personne",
    "Since": "Depuis",
    "works here no more": "ne travaille plus ici",
    "Trusted flaggers' tokens": "Jetons des signaleurs de confiance",
    "Flagger": "Signaleur",
    "Propose a trusted flagger's token": "Proposer un jeton de signaleur de confiance",
    "Propose": "Proposer",
    "A second person confirms. You are then shown the first half of a code, who confirms the second; "
    "the new person needs both to choose a password.": (
        "Une seconde personne confirme. La première moitié d'un code vous est alors montrée, la seconde à qui confirme ; "
        "il faut les deux pour choisir un mot de passe."
    ),
    "As in the signed policy, if they hold an office there.": "Comme dans la politique signée, si la personne y tient une fonction.",
    "Clerk and officer go together; every other pair checks one another.": (
        "Agent et officier vont ensemble ; dans toute autre paire, l'un contrôle l'autre."
    ),
    "confirmed by: {role}": "confirmé par : {role}",
    "Whose key they hold, by the policy; empty: none.": "Celle dont la personne détient la clé selon la politique ; vide : aucune.",
    "For the role operator: the provider's id in the policy.": "Pour le rôle d'opérateur : l'identifiant du fournisseur dans la politique.",
    "Subject at the house's provider": "Identifiant chez le fournisseur d'identité de la maison",
    "Empty: they sign in by password.": "Vide : connexion par mot de passe.",
    "Signs in by": "Se connecte par",
    "the house's provider": "le fournisseur d'identité de la maison",
    "nothing yet": "rien pour l'instant",
    "What was done to this account": "Ce qui a été fait sur ce compte",
    "Propose a change": "Proposer un changement",
    "Nothing changes until a second person confirms it. Sessions end when it does.": (
        "Rien ne change avant qu'une seconde personne ne confirme. Les sessions se terminent alors."
    ),
    "A new account": "Un nouveau compte",
    "One role more": "Un rôle de plus",
    "One role less": "Un rôle de moins",
    "Somebody works here no more": "Une personne ne travaille plus ici",
    "A new password": "Un nouveau mot de passe",
    "Whose key it is": "À qui est la clé",
    "Sign-in by the house's provider": "Connexion par le fournisseur d'identité de la maison",
    "A rule or a list": "Une règle ou une liste",
    "A trusted flagger's token": "Un jeton de signaleur de confiance",
    "Evidence deleted for ever": "Une preuve détruite définitivement",
    "Evidence no longer held": "Une preuve libérée de sa conservation",
    "login": "identifiant",
    "name": "nom",
    "role": "rôle",
    "roles": "rôles",
    "office": "fonction",
    "subject": "identifiant chez le fournisseur d'identité",
    "kind": "type",
    "flagger": "signaleur",
    "evidence": "preuve",
    "early": "avant terme",
    "hold": "conservation",
    "why": "motif",
    "reason": "motif",
    "body": "texte",
}
_TWO = {
    "What takes two persons: one asks, another agrees or refuses.": "Ce qui demande deux personnes : l'une propose, l'autre accepte ou refuse.",
    "Waiting": "En attente",
    "Nothing waits.": "Rien n'attend.",
    "Asked by": "Proposé par",
    "Yours to decide": "À vous de décider",
    "Decided": "Décidées",
    "Decided by": "Décidé par",
    "Decision": "Décision",
    "confirmed": "confirmé",
    "refused": "refusé",
    "It takes": "Il faut",
    "What would change": "Ce qui changerait",
    "More would change than this page shows. Take the whole, and compare it, before you agree.": (
        "Il changerait plus que cette page ne montre. Prenez le tout, et comparez-le, avant d'accepter."
    ),
    "The whole that is proposed": "Tout ce qui est proposé",
    "It is too old to be agreed to; have it proposed anew.": "Trop ancienne pour être acceptée ; faites-la proposer à nouveau.",
    "Your reason": "Votre motif",
    "Needed to refuse.": "Nécessaire pour refuser.",
    "Agree, and do it": "Accepter et exécuter",
    "Take it back": "Retirer",
    "Refuse": "Refuser",
    "It waits for somebody else.": "Elle attend une autre personne.",
    "This is the token. It is shown only now; give it to the flagger by a way that others cannot read.": (
        "Voici le jeton. Il n'est affiché que maintenant ; remettez-le au signaleur par une voie que d'autres ne lisent pas."
    ),
    "It is done. This is the second half of the code, shown only now; tell it to the person yourself. Who proposed it has the first.": (
        "C'est fait. Voici la seconde moitié du code, affichée seulement maintenant ; dites-la vous-même à la personne. "
        "Qui a proposé détient la première."
    ),
    "It waits for a second person. This is the first half of the code, shown only now; tell it to the person yourself once it is confirmed. "
    "Who confirms has the second.": (
        "Une seconde personne doit confirmer. Voici la première moitié du code, affichée seulement maintenant ; dites-la vous-même à la personne "
        "une fois la proposition confirmée. Qui confirme détient la seconde."
    ),
    "Both halves together are good for one choice of a password, at {path}, for seven days after it is confirmed.": (
        "Les deux moitiés permettent de choisir une fois un mot de passe, à la page {path}, dans les sept jours après la confirmation."
    ),
    "What the house has decided, each version with who proposed and who confirmed it. A change takes two persons.": (
        "Ce que la maison a décidé, chaque version avec qui l'a proposée et confirmée. Un changement demande deux personnes."
    ),
    "Document": "Document",
    "What it is": "Ce que c'est",
    "Version": "Version",
    "Versions": "Versions",
    "Version {number}": "Version {number}",
    "In force since": "En vigueur depuis",
    "Digest": "Empreinte",
    "What a new desk begins with": "Ce avec quoi commence un nouveau bureau",
    "The whole as a file": "Le tout dans un fichier",
    "It is long; its beginning is shown.": "Le texte est long ; son début est affiché.",
    "Procedure": "Procédure",
    "Clocks by category, retention, penalties. YAML.": "Délais par catégorie, conservation, pénalités. YAML.",
    "Protected names": "Noms protégés",
    "Names that no order may block or cover without an override. One a line.": (
        "Noms qu'aucun ordre ne peut bloquer ou couvrir sans dérogation. Un par ligne."
    ),
    "Popular names": "Noms populaires",
    "Names whose blocking many would feel. One a line, a rank before it if you like.": (
        "Noms dont le blocage toucherait beaucoup de monde. Un par ligne, précédé d'un rang au besoin."
    ),
    "Shared hosts": "Hébergements partagés",
    "Names under which many owners have sites. One a line.": "Noms sous lesquels de nombreux propriétaires ont des sites. Un par ligne.",
    "Texts of messages": "Textes des messages",
    "What hosts and owners are written, by language. YAML.": "Ce qui est écrit aux hébergeurs et aux éditeurs, par langue. YAML.",
    "Lines": "Lignes",
    "Line": "Ligne",
    "Hash of the last": "Empreinte de la dernière",
    "Anchored in the public log": "Ancré dans le journal public",
    "up to line {number}": "jusqu'à la ligne {number}",
    "All {count} lines are what was written.": "Les {count} lignes sont telles qu'écrites.",
    "Check the whole chain": "Vérifier toute la chaîne",
    "Only about": "Seulement au sujet de",
    "Such as case:2026-000123, person:a.martin, proposal:7": "Par exemple case:2026-000123, person:a.martin, proposal:7",
}
TEXTS: dict[str, str] = {**_SHELL, **_ACCOUNT, **_PEOPLE, **_TWO, **REFUSALS}
