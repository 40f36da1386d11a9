"""Run tasks: one after the other in this process, in worker processes, or on a cluster."""
