"""Our own texts of messages, in English and French, and what each kind of message is told. Data, no code."""

from __future__ import annotations

from typing import Any, Literal

Kind = Literal[
    "removal_request", "owner_block", "owner_amend", "owner_suspend", "owner_lift", "appeal_filed", "appeal_decided", "report_answered",
    "threat", "overdue", "soon", "undelivered", "recommendation", "annulled", "beside",
]  # fmt: skip

_CASE: dict[str, Any] = {
    "number": "2026-000123", "names": ["www.site.test"], "house": "Example Office", "authority": "desk@authority.example",
    "url": "https://desk.example/",
}  # fmt: skip
_ORDER: dict[str, Any] = {**_CASE, "order": "XX-2026-000123", "reasons": "…", "redress": "https://authority.example/", "days": 30}
_LATE: dict[str, Any] = {"lines": [{"number": "2026-000123", "clock": "owner", "due": 1_790_000_000, "title": "www.site.test"}], "more": 0, "url": ""}

VALUES: dict[Kind, dict[str, Any]] = {
    "removal_request": {**_CASE, "kind": "host", "location": "", "category": "terrorism", "legal_basis": "Law 1", "deadline": 1_790_000_000},
    "owner_block": _ORDER,
    "owner_amend": _ORDER,
    "owner_suspend": _ORDER,
    "owner_lift": _ORDER,
    "appeal_filed": {**_CASE, "reference": "7Q2K-8F3M", "due": 1_790_000_000},
    "appeal_decided": {**_CASE, "reference": "7Q2K-8F3M", "decision": "upheld", "answer": "…", "redress": "", "days": 0},
    "report_answered": {**_CASE, "reference": "7K2M-QX4R-9DHT-WE5C", "decision": "upheld", "answer": "…"},
    "threat": {**_CASE, "location": "", "words": "…"},
    "overdue": _LATE,
    "soon": _LATE,
    "undelivered": {**_CASE, "recipient": "abuse@host.example", "answer": "550 no such user"},
    "recommendation": {**_CASE, "why": "…", "due": 1_790_000_000},
    "annulled": {**_CASE, "court": "Court", "why": "…", "due": 1_790_000_000},
    "beside": {"lines": [{"order": "XX-2026-000123", "index": 17, "action": "block", "signed": "north-1"}], "more": 0, "url": ""},
}
"""What templates of each kind may use, with examples that a new template is tried with. Times are unix seconds: `{{ deadline | time }}`."""

TEXTS = """\
removal_request:
  en:
    subject: "Request to remove unlawful content: {{ names[0] }} ({{ number }})"
    body: |
      {{ house }} writes to you.
      {{ {'publisher': 'You publish', 'registrar': 'You registered'}.get(kind, 'You host') }} content that we find unlawful:
      {% for name in names %}
        {{ name }}
      {% endfor %}
      {% if location %}
      Where exactly: {{ location }}
      {% endif %}

      Ground: {{ category }}{{ ' (' ~ legal_basis ~ ')' if legal_basis else '' }}

      Please remove it, or make it inaccessible, before {{ deadline | time }}, and answer this message.
      If nothing has been done by then, access providers may be ordered to block the names above.

      If you think that we are mistaken, answer with your reasons. Please keep the content and the data about it for six months, out of reach.

      Reference: {{ number }}
      Contact: {{ house }}, {{ authority }}
  fr:
    subject: "Demande de retrait d'un contenu illicite : {{ names[0] }} ({{ number }})"
    body: |
      {{ house }} vous écrit.
      {{ {'publisher': 'Vous publiez', 'registrar': 'Vous avez enregistré'}.get(kind, 'Vous hébergez') }} un contenu que nous jugeons illicite :
      {% for name in names %}
        {{ name }}
      {% endfor %}
      {% if location %}
      Emplacement exact : {{ location }}
      {% endif %}

      Motif : {{ category }}{{ ' (' ~ legal_basis ~ ')' if legal_basis else '' }}

      Nous vous demandons de le retirer, ou d'en empêcher l'accès, avant le {{ deadline | time }}, et de répondre à ce message.
      À défaut, il pourra être ordonné aux fournisseurs d'accès de bloquer les noms ci-dessus.

      Si vous pensez que nous nous trompons, répondez en donnant vos raisons. Conservez pendant six mois, hors d'accès, le contenu et ses données.

      Référence : {{ number }}
      Contact : {{ house }}, {{ authority }}
owner_block:
  en:
    subject: "Your names are blocked by order {{ order }}"
    body: |
      Access providers have been ordered to block:
      {% for name in names %}
        {{ name }}
      {% endfor %}

      Order: {{ order }}
      Reasons: {{ reasons }}

      You may object{% if days %} within {{ days }} days{% endif %}{% if redress %}: {{ redress }}{% endif %}.
      Once the content is gone, tell us: {{ house }}, {{ authority }}. The order is then lifted.

      Reference: {{ number }}
  fr:
    subject: "Vos noms sont bloqués par l'ordre {{ order }}"
    body: |
      Il a été ordonné aux fournisseurs d'accès de bloquer :
      {% for name in names %}
        {{ name }}
      {% endfor %}

      Ordre : {{ order }}
      Motifs : {{ reasons }}

      Vous pouvez le contester{% if days %} dans un délai de {{ days }} jours{% endif %}{% if redress %} : {{ redress }}{% endif %}.
      Quand le contenu aura disparu, dites-le-nous : {{ house }}, {{ authority }}. L'ordre sera alors levé.

      Référence : {{ number }}
owner_amend:
  en:
    subject: "Order {{ order }} on your names has changed"
    body: |
      What access providers are ordered to block is now:
      {% for name in names %}
        {{ name }}
      {% endfor %}

      Order: {{ order }}
      Reasons: {{ reasons }}

      You may object{% if days %} within {{ days }} days{% endif %}{% if redress %}: {{ redress }}{% endif %}.

      Reference: {{ number }}
      Contact: {{ house }}, {{ authority }}
  fr:
    subject: "L'ordre {{ order }} visant vos noms a changé"
    body: |
      Il est désormais ordonné aux fournisseurs d'accès de bloquer :
      {% for name in names %}
        {{ name }}
      {% endfor %}

      Ordre : {{ order }}
      Motifs : {{ reasons }}

      Vous pouvez le contester{% if days %} dans un délai de {{ days }} jours{% endif %}{% if redress %} : {{ redress }}{% endif %}.

      Référence : {{ number }}
      Contact : {{ house }}, {{ authority }}
owner_suspend:
  en:
    subject: "Order {{ order }} on your names is suspended"
    body: |
      The order is suspended for at most 72 hours while it is looked at again. Access providers have been told. It concerns:
      {% for name in names %}
        {{ name }}
      {% endfor %}

      Reference: {{ number }}
      Contact: {{ house }}, {{ authority }}
  fr:
    subject: "L'ordre {{ order }} visant vos noms est suspendu"
    body: |
      L'ordre est suspendu pour 72 heures au plus, le temps d'un nouvel examen. Les fournisseurs d'accès en sont informés. Il concerne :
      {% for name in names %}
        {{ name }}
      {% endfor %}

      Référence : {{ number }}
      Contact : {{ house }}, {{ authority }}
owner_lift:
  en:
    subject: "Order {{ order }} on your names has ended"
    body: |
      The order has ended. Access providers have been told to restore, within 24 hours:
      {% for name in names %}
        {{ name }}
      {% endfor %}

      If a name is still blocked somewhere after that, tell us: {{ house }}, {{ authority }}

      Reference: {{ number }}
  fr:
    subject: "L'ordre {{ order }} visant vos noms a pris fin"
    body: |
      L'ordre a pris fin. Les fournisseurs d'accès ont été informés qu'ils doivent rétablir, sous 24 heures :
      {% for name in names %}
        {{ name }}
      {% endfor %}

      Si un nom est encore bloqué quelque part passé ce délai, dites-le-nous : {{ house }}, {{ authority }}

      Référence : {{ number }}
appeal_filed:
  en:
    subject: "We have your objection ({{ reference }})"
    body: |
      Your objection to the order on {{ names[0] }} is filed under the reference {{ reference }}.
      You will be answered before {{ due | time }}. With the reference you can ask at any time: {{ url }}
  fr:
    subject: "Nous avons reçu votre contestation ({{ reference }})"
    body: |
      Votre contestation de l'ordre visant {{ names[0] }} est enregistrée sous la référence {{ reference }}.
      Il vous sera répondu avant le {{ due | time }}. Avec cette référence vous pouvez suivre l'affaire : {{ url }}
appeal_decided:
  en:
    subject: "Your objection is decided ({{ reference }})"
    body: |
      {% if decision == 'lifted' %}
      We agree: the order on {{ names[0] }} will be withdrawn.
      {% elif decision == 'amended' %}
      We agree in part: the order on {{ names[0] }} will be changed.
      {% else %}
      The order on {{ names[0] }} stands.
      {% endif %}

      {{ answer }}
      {% if redress %}

      You may go on{% if days %} within {{ days }} days{% endif %}: {{ redress }}
      {% endif %}
  fr:
    subject: "Votre contestation est tranchée ({{ reference }})"
    body: |
      {% if decision == 'lifted' %}
      Nous vous donnons raison : l'ordre visant {{ names[0] }} sera retiré.
      {% elif decision == 'amended' %}
      Nous vous donnons raison en partie : l'ordre visant {{ names[0] }} sera modifié.
      {% else %}
      L'ordre visant {{ names[0] }} est maintenu.
      {% endif %}

      {{ answer }}
      {% if redress %}

      Vous pouvez poursuivre{% if days %} dans un délai de {{ days }} jours{% endif %} : {{ redress }}
      {% endif %}
report_answered:
  en:
    subject: "Your report of an error is answered ({{ reference }})"
    body: |
      {{ house }} writes to you.
      You reported that {{ names[0] }} is blocked in error.
      {% if decision == 'lifted' %}
      We agree: the order will be withdrawn.
      {% elif decision == 'amended' %}
      We agree in part: the order will be changed.
      {% elif decision == 'elsewhere' %}
      Our order is not what keeps you from the site.
      {% else %}
      We find no error: the order stands.
      {% endif %}

      {{ answer }}

      This is no decision on an appeal. How to contest the order stands on the page that is shown in place of the site.
  fr:
    subject: "Réponse à votre signalement d'erreur ({{ reference }})"
    body: |
      {{ house }} vous écrit.
      Vous avez signalé que {{ names[0] }} est bloqué par erreur.
      {% if decision == 'lifted' %}
      Nous en convenons : l'ordre sera levé.
      {% elif decision == 'amended' %}
      Nous en convenons en partie : l'ordre sera modifié.
      {% elif decision == 'elsewhere' %}
      Ce n'est pas notre ordre qui vous empêche d'accéder au site.
      {% else %}
      Nous ne constatons pas d'erreur : l'ordre est maintenu.
      {% endif %}

      {{ answer }}

      Ceci ne statue sur aucun recours. La page affichée à la place du site indique comment contester l'ordre.
threat:
  en:
    subject: "THREAT TO LIFE in case {{ number }}"
    body: |
      Case {{ number }} ({{ names[0] }}) is marked as an imminent threat to life. {{ url }}
      {% if location %}
      Where: {{ location }}
      {% endif %}

      {{ words }}
  fr:
    subject: "MENACE POUR LA VIE dans l'affaire {{ number }}"
    body: |
      L'affaire {{ number }} ({{ names[0] }}) est signalée comme une menace imminente pour la vie. {{ url }}
      {% if location %}
      Où : {{ location }}
      {% endif %}

      {{ words }}
overdue:
  en:
    subject: "{{ lines | length + more }} overdue: {{ lines[0].clock }} of case {{ lines[0].number }}"
    body: |
      Overdue:
      {% for line in lines %}
        {{ line.number }}  {{ line.clock }}, due {{ line.due | time }}  ({{ line.title }})
      {% endfor %}
      {% if more %}
        and {{ more }} more
      {% endif %}

      {{ url }}
  fr:
    subject: "{{ lines | length + more }} en retard : {{ lines[0].clock }} de l'affaire {{ lines[0].number }}"
    body: |
      En retard :
      {% for line in lines %}
        {{ line.number }}  {{ line.clock }}, échéance {{ line.due | time }}  ({{ line.title }})
      {% endfor %}
      {% if more %}
        et {{ more }} autres
      {% endif %}

      {{ url }}
soon:
  en:
    subject: "{{ lines | length + more }} soon due: {{ lines[0].clock }} of case {{ lines[0].number }}"
    body: |
      Soon due:
      {% for line in lines %}
        {{ line.number }}  {{ line.clock }}, due {{ line.due | time }}  ({{ line.title }})
      {% endfor %}
      {% if more %}
        and {{ more }} more
      {% endif %}

      {{ url }}
  fr:
    subject: "{{ lines | length + more }} bientôt à échéance : {{ lines[0].clock }} de l'affaire {{ lines[0].number }}"
    body: |
      Bientôt à échéance :
      {% for line in lines %}
        {{ line.number }}  {{ line.clock }}, échéance {{ line.due | time }}  ({{ line.title }})
      {% endfor %}
      {% if more %}
        et {{ more }} autres
      {% endif %}

      {{ url }}
undelivered:
  en:
    subject: "Not delivered: message in case {{ number }}"
    body: |
      The message to {{ recipient }} in case {{ number }} ({{ names[0] }}) cannot be delivered: {{ answer }}
      Choose another recipient, or say why nobody can be found. {{ url }}
  fr:
    subject: "Non remis : message de l'affaire {{ number }}"
    body: |
      Le message à {{ recipient }} dans l'affaire {{ number }} ({{ names[0] }}) ne peut être remis : {{ answer }}
      Choisissez un autre destinataire, ou dites pourquoi personne n'est joignable. {{ url }}
recommendation:
  en:
    subject: "The reviewer recommends withdrawal in case {{ number }}"
    body: |
      The reviewer recommends that the order on {{ names[0] }} be withdrawn; answer before {{ due | time }}. {{ url }}

      {{ why }}
  fr:
    subject: "Retrait recommandé dans l'affaire {{ number }}"
    body: |
      La personne qualifiée recommande le retrait de l'ordre visant {{ names[0] }} ; répondez avant le {{ due | time }}. {{ url }}

      {{ why }}
annulled:
  en:
    subject: "A court annulled the order of case {{ number }}"
    body: |
      {{ court }} has annulled the order on {{ names[0] }}: withdraw it before {{ due | time }}. {{ url }}

      {{ why }}
  fr:
    subject: "Ordre annulé en justice dans l'affaire {{ number }}"
    body: |
      {{ court }} a annulé l'ordre visant {{ names[0] }} : retirez-le avant le {{ due | time }}. {{ url }}

      {{ why }}
beside:
  en:
    subject: "Orders in the log that nobody drafted at the desk ({{ lines|length + more }})"
    body: |
      Operators carry these out, and no case at the desk knows of them. Somebody uses the keys beside the desk. Ask those who hold them at once;
      if they did not sign, revoke the keys (redhand authority revoke) and have the orders withdrawn.
      {% for line in lines %}

      {{ line.order }}: {{ line.action }}, entry {{ line.index }} of the log, signed by {{ line.signed }}
      {% endfor %}
      {% if more %}

      And {{ more }} more, in the audit log.
      {% endif %}

      {{ url }}
  fr:
    subject: "Ordres au registre que personne n'a rédigés ici ({{ lines|length + more }})"
    body: |
      Les opérateurs les appliquent, et aucun dossier ne les connaît : quelqu'un se sert des clés sans passer par le bureau. Interrogez leurs
      détenteurs sans attendre ; s'ils n'ont pas signé, révoquez les clés (redhand authority revoke) et faites retirer ces ordres.
      {% for line in lines %}

      {{ line.order }} : {{ line.action }}, entrée {{ line.index }} du registre, signé par {{ line.signed }}
      {% endfor %}
      {% if more %}

      Et {{ more }} autres, au journal d'audit.
      {% endif %}

      {{ url }}
"""
