"""MetaGen: turns a specification into a trained model."""

__version__ = "0.1.0"
