"""Answers DNS: wire, engine, policy, caches, upstreams, listeners."""
