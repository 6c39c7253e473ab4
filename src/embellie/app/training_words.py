"""The words of a training's checks, for the command line and the pages."""

from embellie.recommend.check_telling import training_check_name, training_sentence, training_state
from embellie.recommend.training_check import TrainingCheck

__all__ = ["TrainingCheck", "training_check_name", "training_sentence", "training_state"]
