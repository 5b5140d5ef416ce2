"""The same orders at every resolver that providers run, each configured from them as its manual says: which ways round are open at which."""
