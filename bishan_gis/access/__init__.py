"""How well people reach things."""
