"""`python -m swampsync`."""

from swampsync.cli.entry import main

if __name__ == "__main__":
    main()
