"""``python -m huse_bench``, the same as ``huse-bench``."""

import sys

from huse_bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
