"""The engines that can train: one file each, all behind ``splatworks_trainer.engine.Engine``."""
