"""The documentation site: ``tox -e docs``, or ``sphinx-build -W -n -c docs . site``.

The source folder is the repository, so that a relative link between two pages, or to a README outside docs/, is the
same link on a code host and in the site.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_site"))

project = "huse-bench"
author = "huse-bench contributors"
project_copyright = author
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "as_html",
    "docstrings",
    "from_code",
]

root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "plugins/**/README.md",
    "plugins/**/LICENSES.md",
    "results/README.md",
    "results/**/README.md",
    "results/**/tables.md",
]
# Named so that runs and environments that lie in a working tree are not walked through.
exclude_patterns = [".*", "**/runs", "**/node_modules", "build", "dist", "site", "venv"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
# Blocks of console output are shown as they are.
highlight_language = "text"
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100

# Every reference to a name must be found. Names of other projects are not looked up, so that the site builds offline.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(torch|np|numpy|pd|pandas|click|os|pathlib|collections|typing|types|pydantic|datetime)\..*"),
    (r"py:.*", r"(Any|Callable|Iterable|Literal|Mapping|NoneType|Path|PathLike|Sequence)"),
    (r"py:.*", r"(ArrayLike|DataFrame|Image|NDArray|Tensor)"),
    # Parts of what is documented, which nobody makes by hand, and names of a set of words.
    (r"py:class", r"huse_bench\.results\.(arrays|card|published|schema\._\w+)\.\w+"),
    (r"py:class", r"(CheckFailure|CheckSkip|Version|huse_bench\.runs\.(methods\.Method|embedded\.Validated))"),
    (r"py:class", r"huse_bench\.tuning\.(study\.Trial|noise\.(Gain|Lots))"),
    (r"py:data", "(METRICS|huse_bench.tuning.OBJECTIVES)"),
]

html_math_renderer = "mathml"
html_theme = "furo"
html_title = "huse-bench"
html_copy_source = False
html_extra_path = ["_site/root"]
html_static_path = ["_site/static"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}
