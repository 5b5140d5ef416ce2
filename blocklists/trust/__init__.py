"""Who may say what: strict JSON, keys, envelopes, the authority's policy. Pure: bytes in, judgements out."""
