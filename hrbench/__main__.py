"""`python -m hrbench` is the same program as `hrbench`."""

from hrbench.cli import main

raise SystemExit(main())
