"""Take a comment out of an artifact that anybody may have made, and refuse it unless it is harmless.

Usage: check_comment.py ARTIFACT.zip COMMENT.md

Only the standard library is used. The artifact must hold one file, comment.md, of at most 60,100 characters: headings,
lists and tables of plain words, and whatever else as code, where GitHub heeds no markup, mention, reference or address.
"""

import re
import sys
import unicodedata
import zipfile
from pathlib import Path

MOST_BYTES = 200_000
MOST_CHARACTERS = 60_100

CODE = re.compile(r"`[^`]+`")
PLAIN = re.compile(r"(#{2,3} )?[A-Za-z0-9 .,:;()|\u2013-]*")
ADDRESS = re.compile(r"www\.|GH-[0-9]", re.IGNORECASE)

HEAD = """<!-- leaderboard -->
*Computed from the data of this pull request, which could have changed the computation too: look at its files.*

"""


def checked(text: str) -> str:
    """The text, or ValueError saying what is wrong."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has {len(text)} characters, more than {MOST_CHARACTERS}")
    for number, line in enumerate(text.split("\n"), start=1):
        if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in line):
            raise ValueError(f"line {number} has a control character")
        rest = CODE.sub("", line)
        if not PLAIN.fullmatch(rest) or ADDRESS.search(rest):
            raise ValueError(f"line {number} is more than plain words")
    return text


def main(artifact: str, comment: str) -> None:
    """Check the artifact and write the comment."""
    with zipfile.ZipFile(artifact) as archive:
        names = archive.namelist()
        if names != ["comment.md"]:
            raise ValueError("the artifact must hold comment.md and nothing else")
        # The size in the index may be a lie, so no more is read than may be.
        with archive.open("comment.md") as file:
            data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES} bytes")
    text = checked(data.decode("utf-8"))
    Path(comment).write_text(HEAD + text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        sys.exit(f"The comment is refused: {str(error)!a}")
