"""cryoglean: label a handful of cryo-EM micrographs, and it picks the rest."""
