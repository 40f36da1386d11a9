"""`python -m cryoglean` is `cryoglean`."""

from cryoglean.cli.main import main

if __name__ == "__main__":
    main()
