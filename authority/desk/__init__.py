"""The authority's desk: from a referral to a signed order, enforced, reviewed and lifted; cases, clocks, people, evidence and memory.

It prepares what officers sign and publishes what they signed; it holds no key that could put a name in force.
"""
