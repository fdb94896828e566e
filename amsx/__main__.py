"""`python -m amsx` is the `amsx` command."""

from amsx.cli import program

if __name__ == "__main__":
    program()
