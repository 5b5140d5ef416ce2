"""A ceremony's file to begin with."""

EXAMPLE = """\
# A key ceremony: who holds which key, and what may be ordered, by whom, within which limits. Everybody who signs sees all of it.
# Each person makes a key on a machine of their own (redhand authority key NAME.pem --person "…") and hands over NAME.pub.json;
# paths start at this file. Nobody may hold two offices that check each other.

origin: orders.authority.example/2026   # names the log; it never changes

root:            # decide which keys count; offline, seldom needed, kept apart
  threshold: 2
  keys: [root-1.pub.json, root-2.pub.json, root-3.pub.json]
targets:         # sign this policy, protected names and suffix data; offline
  threshold: 2
  keys: [targets-1.pub.json, targets-2.pub.json, targets-3.pub.json]

authorities:
  ocex:
    name: Office central de l'exemple (OCEX)
    contact: ordres@authority.example
    # register_url: https://authority.example/orders/   where each order has a public page: this address and its reference

officers:        # sign orders, each for one authority
  officer-1: {authority: ocex, key: officer-1.pub.json}
  officer-2: {authority: ocex, key: officer-2.pub.json}
  officer-3: {authority: ocex, key: officer-3.pub.json}
reviewers:       # the independent person: confirms emergencies, may suspend, recommends withdrawals
  reviewer-1: reviewer-1.pub.json

categories:      # grounds for blocking
  terrorism:
    authorities: [ocex]
    threshold: 2         # distinct officers who must sign
    max_days: 366        # an order ends at the latest after so many days
    texts:               # what visitors are told
      fr: Ce site provoque à des actes de terrorisme ou en fait publiquement l'apologie.
      en: This site provokes acts of terrorism or publicly apologises for them.
    clocks: {owner_hours: 24, operator_hours: 24, review_hours: 2208, grace_hours: 336, restore_hours: 24}

withdraw_threshold: 1    # officers, or the reviewer, who must sign a withdrawal
limits:                  # names newly blocked; operators hold what goes beyond, until a person releases it
  names_per_hour: 1000
  names_per_day: 5000

operators: {}            # internet providers: "provider-1: {name: …, key: provider-1.pub.json}", for their receipts
administrators: []       # people who run the server; none of those above
protected:               # no order may block these, or what would cover them
  - authority.example
  - example.com
"""
