"""How well picks agree with the truth, by the field's definitions."""
