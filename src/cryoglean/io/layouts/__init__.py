"""Cards: one layout of a data set in folders each, with `recognises` and `open_folder`."""
