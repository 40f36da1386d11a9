"""Cards: one section of the report each, with `section(results)`."""
