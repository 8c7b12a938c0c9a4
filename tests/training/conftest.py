import sys
from pathlib import Path

# As it is where a process is started with a script of this folder.
sys.path.append(str(Path(__file__).parent))
