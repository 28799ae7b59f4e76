"""What the plan talks about: zones, facilities, people, land use."""
