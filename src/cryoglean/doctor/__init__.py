"""Finds why picking fails: symptom, evidence, likely cause, and what would mend it."""
