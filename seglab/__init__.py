"""seglab: a study of small semantic-segmentation networks that anybody can re-run."""

__version__ = "0.1.0"
