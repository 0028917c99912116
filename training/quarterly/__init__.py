"""The quarterly report: what customers asked, what changed, what it cost, how good the model is, what to decide."""

from training.quarterly.contents import Quarterly, QuarterlyError
from training.quarterly.given_files import Given, read_given, tracked_emerging
from training.quarterly.measuring import ModelStore, measure
from training.quarterly.page import render

__all__ = ["Given", "ModelStore", "Quarterly", "QuarterlyError", "measure", "read_given", "render", "tracked_emerging"]
