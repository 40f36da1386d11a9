"""From a stored micrograph to what the network sees, and from labels to targets."""
