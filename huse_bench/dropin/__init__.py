"""Where plugins that are single files are imported from: ``<folder>/my_loss.py`` is ``huse_bench.dropin.my_loss``.

The folder is that of ``HUSE_BENCH_PLUGINS_DIR``, which ``--plugins-dir`` sets; worker processes inherit it.
"""

import os

__path__ = [folder] if (folder := os.environ.get("HUSE_BENCH_PLUGINS_DIR")) else []
