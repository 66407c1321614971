def supported() -> list[str]:
    """Names of the instruction sets this machine runs, best last."""
