"""The French of what the shell, accounts, proposals and documents refuse; places are filled from the English sentence (`language.told`)."""

from __future__ import annotations

REFUSALS: dict[str, str] = {
    "nobody here has the login {login}": "personne ici n'a l'identifiant {login}",
    "{login} works here no more": "{login} ne travaille plus ici",
    "take 2 to 63 of a to z, 0 to 9, dot, hyphen, underscore, and no name of the desk's own": (
        "prenez 2 à 63 signes parmi a à z, 0 à 9, point, tiret, tiret bas, et aucun nom propre au bureau"
    ),
    "write the name as in the policy, at most 200 characters": "écrivez le nom comme dans la politique, 200 caractères au plus",
    "the login {login} is taken": "l'identifiant {login} est pris",
    "somebody signs in as {subject} at the provider already": "quelqu'un se connecte déjà comme {subject} chez le fournisseur d'identité",
    "{one} and {other} check one another; one person never holds both": "{one} et {other} se contrôlent ; une personne ne tient jamais les deux",
    "name the provider's id for the role operator, and for no other": (
        "indiquez l'identifiant du fournisseur pour le rôle d'opérateur, et pour nul autre"
    ),
    "this is no mail address": "ce n'est pas une adresse de courriel",
    "that login and password do not go together": "cet identifiant et ce mot de passe ne vont pas ensemble",
    "the provider knows you, and the desk does not; ask an administrator": (
        "le fournisseur d'identité vous connaît, le bureau non ; demandez à un administrateur"
    ),
    "this is not your password": "ce n'est pas votre mot de passe",
    "{name} is no person": "{name} n'est pas une personne",
    "take en or fr": "prenez en ou fr",
    "{login} has the role {role} already": "{login} a déjà le rôle {role}",
    "{login} does not have the role {role}": "{login} n'a pas le rôle {role}",
    "only {least} would be left with the role {role}, or fewer; give it to somebody else first": (
        "il n'en resterait que {least}, ou moins, avec le rôle {role} ; donnez-le d'abord à quelqu'un d'autre"
    ),
    "{name} has an account already: {login}; one person has one": "{name} a déjà un compte : {login} ; une personne en a un seul",
    "{role} is none; take one of {roles}": "{role} n'en est pas un ; prenez l'un de : {roles}",
    "your password was changed meanwhile; sign in anew": "votre mot de passe a changé entre-temps ; reconnectez-vous",
    "take at least {count} characters; a few words are good": "prenez au moins {count} caractères ; quelques mots conviennent bien",
    "take at most {count} characters": "prenez au plus {count} caractères",
    "it is easily guessed; take a few words that have nothing to do with you": (
        "il se devine facilement ; prenez quelques mots sans rapport avec vous"
    ),
    "many people sign in just now; try again in 10 s": "beaucoup de personnes se connectent en ce moment ; réessayez dans 10 s",
    "{login} holds roles that check one another: {roles}": "{login} tient des rôles qui se contrôlent : {roles}",
    "too many tries; try again in {wait} s": "trop de tentatives ; réessayez dans {wait} s",
    "{name} is no person, and has no tokens of its own": "{name} n'est pas une personne et n'a pas de jetons",
    "you have {count} tokens; end one first": "vous avez {count} jetons ; révoquez-en un d'abord",
    "there is no token {number} of yours": "vous n'avez pas de jeton {number}",
    "say in 1 to 200 characters what the token is for": "dites en 1 à 200 caractères à quoi sert le jeton",
    "take 1 to {days} days": "prenez 1 à {days} jours",
    "this sign-in was not begun here, or too long ago; begin again": (
        "cette connexion n'a pas été commencée ici, ou il y a trop longtemps ; recommencez"
    ),
    "another provider answered; begin again": "un autre fournisseur d'identité a répondu ; recommencez",
    "the provider did not sign you in": "le fournisseur d'identité ne vous a pas connecté",
    "the provider gave no proof of who you are": "le fournisseur d'identité n'a donné aucune preuve de qui vous êtes",
    "the provider's proof is not for this desk, or not for this sign-in": "la preuve n'est pas pour ce bureau, ou pas pour cette connexion",
    "the provider's proof does not hold ({kind}); begin again": "la preuve du fournisseur d'identité ne tient pas ({kind}) ; recommencez",
    "the provider cannot be reached, or answers what cannot be read; try again, or sign in by password": (
        "le fournisseur d'identité est injoignable, ou sa réponse est illisible ; réessayez, ou connectez-vous par mot de passe"
    ),
    "{name} holds the office {office}; who holds an office's key is no administrator": (
        "{name} tient la fonction {office} ; qui détient la clé d'une fonction n'est pas administrateur"
    ),
    "only an officer or a reviewer holds an office; give the role first": (
        "seul un officier ou la personnalité qualifiée tient une fonction ; donnez d'abord le rôle"
    ),
    "{name} holds the office {office}": "{name} tient la fonction {office}",
    "by the policy {name} is {role} ({office}); that and the desk's roles check one another": (
        "selon la politique, {name} est {role} ({office}) ; cela et les rôles du bureau se contrôlent"
    ),
    "the policy has no office {office}; it has: {offices}": "la politique n'a pas de fonction {office} ; elle a : {offices}",
    "the office {office} is of an {role}, and {name} has not that role here": (
        "la fonction {office} est celle d'un {role}, et {name} n'a pas ce rôle ici"
    ),
    "by the policy {holder} holds the office {office}, not {name}": "selon la politique, {holder} tient la fonction {office}, et non {name}",
    "this is proposed at the evidence itself": "cela se propose à la page de la preuve",
    "write {least} to {most} characters": "écrivez {least} à {most} caractères",
    "take one of {choices}": "prenez l'un de : {choices}",
    "take at least one of {choices}": "prenez au moins l'un de : {choices}",
    "write the document, at most {most} characters": "écrivez le document, {most} caractères au plus",
    "version {version} of {kind} came into force meanwhile; look at it, and propose anew": (
        "la version {version} de {kind} est entrée en vigueur entre-temps ; lisez-la, puis proposez à nouveau"
    ),
    "this is what is in force already": "c'est déjà ce qui est en vigueur",
    "take a to z, 0 to 9, dot, hyphen, underscore": "prenez a à z, 0 à 9, point, tiret, tiret bas",
    "that login and code do not go together, or the code was used or is too old": (
        "cet identifiant et ce code ne vont pas ensemble, ou le code a servi ou est trop ancien"
    ),
    "{kind} is proposed where it belongs, not here": "{kind} se propose à sa place, pas ici",
    "{name} may not propose this ({kind}); it is open to: {roles}": "{name} ne peut pas proposer cela ({kind}) ; c'est ouvert à : {roles}",
    "say why; who confirms must be able to judge": "dites pourquoi ; qui confirme doit pouvoir juger",
    "nobody proposes this for themselves; ask another administrator": "personne ne propose cela pour soi-même ; demandez à un autre administrateur",
    "the same is proposed already ({kind}: {subject}), and waits; decide that first": (
        "la même chose est déjà proposée ({kind} : {subject}) et attend ; décidez-la d'abord"
    ),
    "proposal {number} was {decision} already": "la proposition {number} a déjà été décidée ({decision})",
    "{name} is no person, and decides nothing": "{name} n'est pas une personne et ne décide rien",
    "say why it is refused": "dites pourquoi c'est refusé",
    "proposal {number} is no document": "la proposition {number} n'est pas un document",
    "there is no such field; {kind} has {fields}": "il n'y a pas de tel champ ; {kind} a {fields}",
    "it has a number that is too large, or a character that no text has; nothing was changed": (
        "il s'y trouve un nombre trop grand, ou un caractère qu'aucun texte n'a ; rien n'a été changé"
    ),
    "there is no proposal {number}": "il n'y a pas de proposition {number}",
    "{name} may not see proposals": "{name} ne peut pas voir les propositions",
    "who proposed it does not agree to it too; another person must": "qui a proposé n'accepte pas aussi ; il faut une autre personne",
    "nobody agrees to what is about themselves": "personne n'accepte ce qui concerne soi-même",
    "{name} may not agree to this; it takes one of: {roles}": "{name} ne peut pas accepter cela ; il faut l'un de : {roles}",
    "it is too old to be agreed to; have it proposed anew": "trop ancienne pour être acceptée ; faites-la proposer à nouveau",
    "{name} may not refuse this": "{name} ne peut pas refuser cela",
    "sign in first": "connectez-vous d'abord",
    "this form is too old, or not from here; open the page again, and send it then": (
        "ce formulaire est trop ancien, ou ne vient pas d'ici ; rouvrez la page, puis envoyez-le"
    ),
    "another site sent this form; open the page here, and send it from there": (
        "un autre site a envoyé ce formulaire ; ouvrez la page ici, puis envoyez-le"
    ),
    "at most {most} octets are taken here": "{most} octets au plus sont acceptés ici",
    "less is taken here": "moins que cela est accepté ici",
    "there is no such page": "cette page n'existe pas",
    "the page does not take this": "la page n'accepte pas cela",
    "the request cannot be read": "la demande ne peut pas être lue",
    "the two passwords differ": "les deux mots de passe diffèrent",
    "this is for people": "c'est réservé aux personnes",
    "this is not proposed here": "cela ne se propose pas ici",
    "{name} may not see accounts": "{name} ne peut pas voir les comptes",
    "there is no document {kind}; there are: {kinds}": "il n'y a pas de document {kind} ; il y a : {kinds}",
    "there is no version {number} of {kind}": "il n'y a pas de version {number} de {kind}",
    "{name} may not see these documents": "{name} ne peut pas voir ces documents",
    "{name} may not do this ({action}); it is open to: {roles}": "{name} ne peut pas faire cela ({action}) ; c'est ouvert à : {roles}",
    "line {number} is missing": "la ligne {number} manque",
    "line {number} is not what was written, or the one before is not": "la ligne {number} n'est pas telle qu'écrite, ou la précédente ne l'est pas",
    "the database did not answer in time; nothing was changed; try again": (
        "la base de données n'a pas répondu à temps ; rien n'a été modifié ; réessayez"
    ),
    "something went wrong here; nothing was changed; tell whoever runs the desk": (
        "une erreur s'est produite ici ; rien n'a été modifié ; prévenez qui gère le bureau"
    ),
}
