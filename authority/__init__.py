"""Writes, signs and publishes directives: the key ceremony, packets that officers sign, the log and its TUF metadata.

For a program that needs an authority of its own, such as a demonstration: `ceremony.ceremony`, `packets.sign_packet` and `publisher.publish`.
"""
