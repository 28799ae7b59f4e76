"""What the plan wants and what is missing."""
