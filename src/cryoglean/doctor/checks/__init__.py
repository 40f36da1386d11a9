"""What the doctor checks; each file is a card."""
