"""What a grid of results says and what it can't say; pure functions over result rows."""
