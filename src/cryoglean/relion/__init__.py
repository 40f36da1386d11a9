"""cryoglean as an external job of RELION: its arguments, its marks, its output nodes."""
