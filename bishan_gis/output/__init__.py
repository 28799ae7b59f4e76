"""The only writers: tables, maps, reports."""
