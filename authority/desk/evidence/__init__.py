"""Evidence: encrypted object by object, found by the hash of what is stored, kept as long as the law says, deleted by two persons.

The database has what is known of an object and its wrapped key; the store has its encrypted octets; the key file has what unwraps keys. Who has
only one of the three reads nothing.
"""
