import sys
from pathlib import Path

# Shared with run_atheris.py, which is a script in this folder.
sys.path.append(str(Path(__file__).parent))
