import sys

from tests.studies.engine.squares.command import STUDY

if __name__ == "__main__":
    sys.exit(STUDY.main(sys.argv[1:]))
