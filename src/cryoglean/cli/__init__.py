"""Words typed in a shell; no science here."""
