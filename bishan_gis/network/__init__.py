"""Streets: a graph with travel costs, snapping, search."""
