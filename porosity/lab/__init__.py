"""The lab: an internet in a box, of which all is known. What is measured in it can be held against the truth.

A scenario says in a few lines who resolves names there, what is ordered blocked, and which leaks are planted. From it and a seed come a world (names,
zones, orders), its servers, and the truth of every trial. Everything is offline: loopback, or namespaces of this machine's own kernel.
"""
