"""The log: one Merkle tree of signed entries (RFC 6962), its tiles on disk (C2SP tlog-tiles) and its signed checkpoints (C2SP signed-note)."""
