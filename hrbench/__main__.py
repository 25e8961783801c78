"""`python -m hrbench` is the same program as `hrbench`."""

from hrbench.cli.command_line import main

raise SystemExit(main())
