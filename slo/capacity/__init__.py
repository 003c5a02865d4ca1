"""Capacity, the "doomsday clock": when each limit is reached, and whether that leaves time to raise it."""
