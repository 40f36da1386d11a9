"""The one training loop, and using what it has learned."""
