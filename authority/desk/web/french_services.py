"""The French of what the services refuse. What only who runs the server reads stays in English; a test lists those modules."""

from __future__ import annotations

_CASES: dict[str, str] = {
    "a judgment is not in the future; write the day it was given": "un jugement n'est pas dans l'avenir ; écrivez le jour où il a été rendu",
    "there is no order {order}": "il n'y a pas d'ordre {order}",
    "say to who objected why it is decided so": "dites à l'auteur du recours pourquoi il est décidé ainsi",
    "say to who reported it why it is decided so": "dites à qui a signalé l'erreur pourquoi il est décidé ainsi",
    "no such report waits; it may have been answered meanwhile: look again":
        "aucun signalement de ce genre n'attend ; il a peut-être reçu une réponse entre-temps : regardez à nouveau",
    "appeal {reference} was decided already: {decision}": "le recours {reference} a déjà été décidé : {decision}",
    "{name} signed the order that the appeal is about; another officer decides it: {others}":
        "{name} a signé l'ordre visé par le recours ; un autre officier en décide : {others}",
    "{value} is none; write still, gone or unclear": "{value} n'en est pas un ; écrivez still, gone ou unclear",
    "{login} is no clerk or officer here": "{login} n'est ici ni agent ni officier",
    "there are {number}; a case has 1 to {most}": "il y en a {number} ; un dossier en a de 1 à {most}",
    "{value} is none; write exact or subtree": "{value} n'en est pas un ; écrivez exact ou subtree",
    "case {number} has no message {message}": "le dossier {number} n'a pas de message {message}",
    "message {message} does not wait to be posted; look at the case's messages":
        "le message {message} n'attend pas d'être posté ; voyez les messages du dossier",
    "the message was written {time}; it was posted between then and now":
        "le message a été écrit {time} ; il a été posté entre ce moment et maintenant",
    "there is no recommendation {number}": "il n'y a pas de recommandation {number}",
    "{value} is none; write followed or refused": "{value} n'en est pas un ; écrivez followed ou refused",
    "recommendation {number} was answered already: {answer}": "la recommandation {number} a déjà reçu une réponse : {answer}",
    "{name} may not refer anything; it is open to clerks, officers, trusted flaggers and the public":
        "{name} ne peut rien signaler ; c'est ouvert aux agents, aux officiers, aux signaleurs de confiance et au public",
    "another referral was sent with this key; to refer this too, send it with a key of its own": (
        "un autre signalement a été envoyé avec cette clé ; pour envoyer aussi celui-ci, donnez-lui une clé à lui"
    ),
    "line {line}: no template may use {what} so; it puts values into words, and goes once through a list": (
        "ligne {line} : aucun modèle ne peut employer {what} ainsi ; il met des valeurs en mots, et parcourt une fois une liste"
    ),
    "there are {number}; refer at most {most} at a time": "il y en a {number} ; signalez-en {most} au plus à la fois",
    "it is not within a year from now; write a later time, or none": "ce n'est pas dans l'année qui vient ; écrivez un moment plus tardif, ou aucun",
    "the step {step} has no form": "l'étape {step} n'a pas de formulaire",
    "{value} is no place in this queue; begin at its first page": "{value} n'est pas un endroit de cette file ; commencez par la première page",
    "{value} is no place in this list; begin at its first page": "{value} n'est pas un endroit de cette liste ; commencez par la première page",
    "{name} may not read cases": "{name} ne peut pas lire les dossiers",
    "it has {number} characters; write at most {most}": "il y a {number} caractères ; écrivez-en {most} au plus",
    "it has the character {code}; write it on one line": "il contient le caractère {code} ; écrivez sur une seule ligne",
    "it has the character {code}; leave that out": "il contient le caractère {code} ; ôtez-le",
    "it has the character {code}; {remedy}": "il contient le caractère {code} ; {remedy}",
    "write it on one line": "écrivez sur une seule ligne",
    "leave that out": "ôtez-le",
    "write where it was seen": "écrivez où cela a été vu",
    "write at most {most} characters": "écrivez {most} caractères au plus",
    "there is no import {number}": "il n'y a pas d'importation {number}",
    "it has {octets} octets; send 1 to {most}": "il a {octets} octets ; envoyez-en de 1 à {most}",
    "{value} is neither yes nor no": "{value} n'est ni oui ni non",
    "its first line must name the columns, each once, with names or location; they are {columns}":
        "sa première ligne doit nommer les colonnes, chacune une fois, avec names ou location ; ce sont {columns}",
    "import {number} was begun by nobody who has an account; import the file again":
        "l'importation {number} n'a été commencée par personne qui ait un compte ; importez de nouveau le fichier",
    "{path} cannot be read ({error}); import the file again": "{path} ne peut pas être lu ({error}) ; importez de nouveau le fichier",
    "{path} cannot be read: {error}": "{path} ne peut pas être lu : {error}",
    "no name is in it; write names, or an address such as https://www.example.com/page":
        "il n'y a aucun nom ; écrivez des noms, ou une adresse telle que https://www.example.com/page",
}  # fmt: skip
_ORDERS: dict[str, str] = {
    "case {number} has no order in the log to follow": "le dossier {number} n'a pas d'ordre au registre auquel donner suite",
    "an order needs it; missing are: {missing}": "il le faut pour un ordre ; il manque : {missing}",
    "{name} may not order in this category; it is open to: {able}": "{name} ne peut pas ordonner dans cette catégorie ; elle est ouverte à : {able}",
    "it may end by {time} at the latest: its review and the category's most say so":
        "la fin est au plus tard le {time} : le réexamen et le maximum de la catégorie le veulent",
    "it ends with the order at the latest, {time}, and after now": "la fin est au plus tard celle de l'ordre, {time}, et après maintenant",
    "the policy has no category {category}; it has: {known}": "la politique n'a pas de catégorie {category} ; elle a : {known}",
    "{name} {objection} ({guard}), since the order was drafted; draft it again":
        "{name} {objection} ({guard}), depuis que l'ordre a été rédigé ; rédigez-le à nouveau",
    "line {number}: {error}": "ligne {number} : {error}",
    "{name} {objection}: no resolver would block it, and nobody here can override that; name others":
        "{name} {objection} : aucun résolveur ne le bloquerait, et personne ici ne peut l'écarter ; nommez-en d'autres",
    "{name} {objection}: no resolver would block it, and nobody here can override that":
        "{name} {objection} : aucun résolveur ne le bloquerait, et personne ici ne peut l'écarter",
    "say why the guard is overridden; it stands in the order": "dites pourquoi le garde-fou est écarté ; cela figure dans l'ordre",
    "the guard {guard} has no objection to {name} that stands": "le garde-fou {guard} n'a contre {name} aucune objection qui tienne",
    "no order was drafted here with the digest {digest}": "aucun ordre n'a été rédigé ici avec l'empreinte {digest}",
    "{name} {objection} ({guard}); override it with a reason and one more signature, or name others":
        "{name} {objection} ({guard}) ; écartez l'objection avec un motif et une signature de plus, ou nommez-en d'autres",
    "{order} is no emergency that waits to be confirmed": "{order} n'est pas une urgence qui attend d'être confirmée",
    "{threshold} officers would have to sign it, and {number} may; name others, or have the policy name more officers":
        "{threshold} officiers devraient signer, et {number} le peuvent ; nommez d'autres noms, ou faites nommer plus d'officiers par la politique",
    "case {number} is {state}: officers were asked to sign; draft it again first":
        "le dossier {number} est dans l'état {state} : la signature des officiers est demandée ; rédigez d'abord à nouveau",
    "{what} {order} may be signed since it was drafted": "{what} {order} peut être signé depuis sa rédaction",
    "{order} lacks signatures: {missing}": "il manque des signatures à {order} : {missing}",
    "{order} is not published: {error}": "{order} n'est pas publié : {error}",
    "case {number} is {state}; no order stands": "le dossier {number} est dans l'état {state} ; aucun ordre n'est en vigueur",
    "{order} has ended by its own terms; draft it again": "{order} a pris fin selon ses propres termes ; rédigez-le à nouveau",
    "{order} had to be carried out by {time} UTC, which is over; draft it again":
        "{order} devait être exécuté avant {time} UTC, moment passé ; rédigez-le à nouveau",
    "it is for {kind}; here orders and reviews are signed": "c'est pour {kind} ; ici se signent des ordres et des réexamens",
    "case {number} is {state}: nobody was asked to sign yet":
        "le dossier {number} est dans l'état {state} : la signature n'a encore été demandée à personne",
    "it was drafted as {kept}, and this is {found}; take the packet from here again":
        "il a été rédigé comme {kept}, et ceci est {found} ; reprenez le paquet ici",
    "what this packet signs was not drafted here, or was changed on its way; take the packet from here again":
        "ce que ce paquet signe n'a pas été rédigé ici, ou a été modifié en chemin ; reprenez le paquet ici",
    "this draft of {order} was dropped, or another took its place; sign that one":
        "ce projet de {order} a été abandonné, ou un autre a pris sa place ; signez celui-là",
    "this draft of {order} was dropped, or another took its place": "ce projet de {order} a été abandonné, ou un autre a pris sa place",
    "this draft of {order} {what}; nothing more is signed": "ce projet de {order} {what} ; plus rien ne se signe",
    "{order} is published, as entry {index} of the log": "{order} est publié : entrée {index} du registre",
    "{value} is none; write one of {known}": "{value} n'en est pas un ; écrivez l'un de : {known}",
    "{name} belongs to no operator of the policy; an administrator can say to which":
        "{name} n'appartient à aucun opérateur de la politique ; l'administrateur peut dire auquel",
    "{name} is no address of a page; write the bare name": "{name} n'est pas l'adresse d'une page ; écrivez le nom seul",
    "there is no operator {name}": "il n'y a pas d'opérateur {name}",
    "the log has no order at position {index}": "le registre n'a pas d'ordre à la position {index}",
    "take it from the page before": "prenez-le de la page précédente",
    "take csv or json": "prenez csv ou json",
    "{month} is none; take one from 1971-01 to 2200-12": "{month} n'en est pas un ; prenez un mois de 1971-01 à 2200-12",
    "{category} is none of the policy's; take one of {categories}": (
        "{category} n'est pas une catégorie de la politique ; prenez l'une de : {categories}"
    ),
    "the order {order} is of case {number}; answer its reports there, by the step answer_report": (
        "l'ordre {order} est du dossier {number} ; répondez-y à ses signalements, par l'étape answer_report"
    ),
}  # fmt: skip
_DOCUMENTS: dict[str, str] = {
    "there is no such field; {kind} has {fields}": "il n'y a pas de tel champ ; {kind} a {fields}",
    "line {number}: {value}: {reason}": "ligne {number} : {value} : {reason}",
    "it has {number} documents; write one": "il y a {number} documents ; écrivez-en un",
    "{place}: {fault}; kinds are {kinds}": "{place} : {fault} ; les sortes sont {kinds}",
    "{place}: {fault}": "{place} : {fault}",
    "{kind}.{language}: {fault}; it may use {known}": "{kind}.{language} : {fault} ; il peut employer {known}",
    "a message would have {number} characters, more than {most}; shorten it": "un message aurait {number} caractères, plus de {most} ; abrégez",
    "a template does not work: {error}": "un modèle ne fonctionne pas : {error}",
    "line {number}: no template may use {name} so; it puts values into words, and goes once through a list":
        "ligne {number} : aucun modèle ne peut employer {name} ainsi ; il met des valeurs dans des mots, et parcourt une fois une liste",
}  # fmt: skip
_EVIDENCE: dict[str, str] = {
    "the upload broke off before its end; send it again": "l'envoi s'est interrompu avant sa fin ; envoyez de nouveau",
    "the form goes on behind its file; the file comes last": "le formulaire continue après son fichier ; le fichier vient en dernier",
    "the form has more than {most} fields before its file": "le formulaire a plus de {most} champs avant son fichier",
    "the form has more than {most} octets before its file": "le formulaire a plus de {most} octets avant son fichier",
    "the form cannot be read ({error}); send it again": "le formulaire ne peut pas être lu ({error}) ; envoyez-le de nouveau",
    "evidence {number} is not what its address, its digest or its commitment says; restore the store's backup elsewhere":
        "la preuve {number} n'est pas ce que disent son adresse, son empreinte ou son engagement ; restaurez ailleurs la sauvegarde du dépôt",
    "{value} is none that content has; write one such as image/png": "{value} n'est pas celui d'un contenu ; écrivez-en un tel que image/png",
    "evidence {number} has not the length that was stored; restore the store's backup elsewhere, and run: evidence verify":
        "la preuve {number} n'a pas la longueur déposée ; restaurez ailleurs la sauvegarde du dépôt, puis lancez : evidence verify",
    "there is no evidence {number}": "il n'y a pas de preuve {number}",
    "write on one line what it is, in at most 255 characters": "écrivez sur une ligne ce que c'est, en 255 caractères au plus",
    "say why it is kept": "dites pourquoi elle est conservée",
    "{why}; keep an observation instead: its address, its time and its digest":
        "{why} ; gardez plutôt une constatation : son adresse, son heure et son empreinte",
    "evidence {number} is held already ({hold}); it needs no second hold":
        "la preuve {number} est déjà gelée ({hold}) ; il ne faut pas un second gel",
    "evidence {number} is kept as long already, or the time is none; give a later one":
        "la preuve {number} est déjà conservée aussi longtemps, ou ce n'est pas un moment ; donnez-en un plus tardif",
    "it is empty": "il est vide",
    "evidence {number} of case {case} was shredded": "la preuve {number} du dossier {case} a été détruite",
    "evidence {number} of case {case} was shredded already": "la preuve {number} du dossier {case} a déjà été détruite",
    "evidence {number} of case {case} was shredded; what is left is that it was there":
        "la preuve {number} du dossier {case} a été détruite ; il reste seulement qu'elle y était",
    "a field of the form has too long a header": "un champ du formulaire a un en-tête trop long",
    "send the file in a form of the type multipart/form-data": "envoyez le fichier dans un formulaire du type multipart/form-data",
    "chunk {number} of the evidence is not what was stored; leave it, and restore the store's backup elsewhere":
        "le morceau {number} de la preuve n'est pas ce qui a été déposé ; laissez-le, et restaurez ailleurs la sauvegarde du dépôt",
    "the evidence does not begin as what the desk stores does; restore a backup of the store":
        "la preuve ne commence pas comme ce que le bureau dépose ; restaurez une sauvegarde du dépôt",
    "evidence {number} of case {case} is still to be kept; say that it is early, and why it must go all the same":
        "la preuve {number} du dossier {case} est encore à conserver ; dites que c'est avant terme, et pourquoi elle doit partir quand même",
    "it is no status of an HTTP answer, such as 200": "ce n'est pas le code d'une réponse HTTP, tel que 200",
    "it is none of hold, extend, release, shred": "ce n'est ni hold, ni extend, ni release, ni shred",
    "it has more than {most} octets; split it": "il a plus de {most} octets ; divisez-le",
    "{number} objects are named; name 1 to {most}": "{number} objets sont nommés ; nommez-en de 1 à {most}",
    "evidence {number} is not held for what the proposal says; look again, and propose anew":
        "la preuve {number} n'est pas gelée pour ce que dit la proposition ; regardez de nouveau, puis proposez à nouveau",
    "{name} proposed this; another person must confirm it": "{name} l'a proposé ; une autre personne doit le confirmer",
    "evidence {number} is held ({hold}); propose first that it be released": "la preuve {number} est gelée ({hold}) ; proposez d'abord son dégel",
    "{name} is no person; two persons delete evidence": "{name} n'est pas une personne ; deux personnes suppriment une preuve",
    "say why": "dites pourquoi",
    "evidence {number} is not held; there is nothing to release": "la preuve {number} n'est pas gelée ; il n'y a rien à dégeler",
    "proposal {proposal} releases evidence {number} already; confirm or refuse that one":
        "la proposition {proposal} dégèle déjà la preuve {number} ; confirmez ou refusez celle-là",
    "proposal {proposal} has evidence {number} shredded already; confirm or refuse that one":
        "la proposition {proposal} fait déjà détruire la preuve {number} ; confirmez ou refusez celle-là",
    "case {number} has no evidence {item}": "le dossier {number} n'a pas de preuve {item}",
    "it is no SHA-256: 64 hex digits": "ce n'est pas un SHA-256 : 64 chiffres hexadécimaux",
}  # fmt: skip
_NAMES: dict[str, str] = {
    "an empty text is not a domain name; write a name such as example.test":
        "un texte vide n'est pas un nom de domaine ; écrivez un nom tel que example.test",
    "{name} has {number} characters; the longest legal name is {most} octets":
        "{name} a {number} caractères ; le plus long nom permis a {most} octets",
    "{name} is the root of all names; name a domain": "{name} est la racine de tous les noms ; nommez un domaine",
    "{name} has {odd}, which no host name has; write the bare name, without a scheme, path, port or rule signs":
        "{name} contient {odd}, qu'aucun nom d'hôte ne contient ; écrivez le nom seul, sans protocole, chemin, port ni signe de règle",
    "{name} ends in a number, as only addresses do; list names, because many sites share one address":
        "{name} finit par un nombre, comme seules les adresses ; écrivez des noms, car bien des sites partagent une adresse",
    "{name} is not an internationalised domain name ({error}); write it in the form that was registered, xn--…":
        "{name} n'est pas un nom de domaine internationalisé ({error}) ; écrivez-le sous la forme enregistrée, xn--…",
    "{name} mixes letters beyond ASCII with characters no host name has; remove white space, signs and escapes":
        "{name} mêle des lettres hors d'ASCII à des caractères qu'aucun nom d'hôte n'a ; ôtez espaces, signes et échappements",
    "{name} ends in, or has, a broken escape; write \\. for a dot in a label and \\DDD for an octet":
        "{name} finit par, ou contient, un échappement incomplet ; écrivez \\. pour un point dans un label et \\DDD pour un octet",
    "{name} escapes {value}, which is not an octet; \\DDD goes from \\000 to \\255":
        "{name} échappe {value}, qui n'est pas un octet ; \\DDD va de \\000 à \\255",
    "{name} has white space or a control character; remove it, or escape it as {escape}":
        "{name} contient un espace ou un caractère de commande ; ôtez-le, ou échappez-le : {escape}",
    "{name} has an empty label; remove the doubled or leading dot": "{name} a un label vide ; ôtez le point double ou initial",
    "{name} has a label of {number} octets; the longest legal label is {most}":
        "{name} a un label de {number} octets ; le plus long label permis en a {most}",
    "{name} is {number} octets long; the longest legal name is {most}": "{name} a {number} octets ; le plus long nom permis en a {most}",
}  # fmt: skip
TEXTS: dict[str, str] = {**_NAMES, **_CASES, **_ORDERS, **_DOCUMENTS, **_EVIDENCE}
