"""The pictures of the report: each function draws one `matplotlib` figure and leaves it to the caller to save it."""
