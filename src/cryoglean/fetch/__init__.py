"""Public data sets from the internet: CryoPPP and EMPIAR. The one room that opens a connection."""
