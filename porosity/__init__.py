"""Measures how porous blocking is: what still resolves of what was ordered blocked, by which way round, and how surely we know it.

Five stages, each a folder of a study, each made from the one before: plan, observations, classification, estimates, report. An instrument shares
no parser with what it measures: names and messages are dnspython's, and any resolver, ours too, is started as a program like any other.
"""
