"""How libraries feed their own networks, each read from the library's own configuration (`types.LibraryInput`)."""
