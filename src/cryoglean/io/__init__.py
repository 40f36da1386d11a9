"""Files in and out: micrographs, picks, folders. Nothing here knows what a network is."""
