"""Reads what `torch.save` writes, without running any of it: its pickle is interpreted, not unpickled."""
