"""For whom: the HTTP API and the command line."""
