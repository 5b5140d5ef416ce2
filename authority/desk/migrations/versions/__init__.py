"""The revisions, in order; each is left as it was once released."""
