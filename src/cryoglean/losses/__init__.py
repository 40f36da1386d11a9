"""Cards: one loss each, with `loss(logits, targets, settings)`, a value per crop."""
