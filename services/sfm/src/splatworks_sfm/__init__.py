"""Photos in, a camera for each of them and a sparse cloud of points out (structure from motion)."""
