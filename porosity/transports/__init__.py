"""The ways to a resolver, one module each: what goes out, what comes back, and when, at the socket."""
