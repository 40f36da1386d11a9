"""Cards: one strategy each, with `recipe(**settings)`."""
