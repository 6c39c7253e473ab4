"""The words of a training's checks, for the command line and the pages."""

from embellie.recommend.check_telling import training_check_name, training_sentence, training_state

__all__ = ["training_check_name", "training_sentence", "training_state"]
