"""The desk's pages: plain HTML made on the server, without script. Each module has one router; what it does is done by the services."""
