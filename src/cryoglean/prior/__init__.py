"""How many particles there are, by several opinions, and when that can't be told."""
