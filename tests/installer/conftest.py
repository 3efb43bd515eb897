"""Puts the installer's modules on the path: they are scripts, not a package."""

import sys
from pathlib import Path

INSTALLER = Path(__file__).parents[2] / "installer"
if str(INSTALLER) not in sys.path:
    sys.path.append(str(INSTALLER))
