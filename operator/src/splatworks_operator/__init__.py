"""The pipeline and who drives it: the pure reconciliation, and the runner behind ``splatworks run``."""
