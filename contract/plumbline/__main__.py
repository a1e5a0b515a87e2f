"""`python -m plumbline` is the `plumbline` command."""

from __future__ import annotations

from plumbline.cli import main

main()
