"""The commands `redhand desk …`, by what they are about. Each calls the same functions as the pages and the API do."""
