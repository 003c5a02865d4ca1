"""One module a board; each has `board() -> Board`."""
