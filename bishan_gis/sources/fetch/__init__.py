"""Open data from servers, only when asked for: the one place that opens a connection."""
