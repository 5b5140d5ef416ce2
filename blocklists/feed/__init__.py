"""The feed client: fetches what the authority signed, from mirrors that nobody needs to trust, and believes nothing that it has not verified."""
