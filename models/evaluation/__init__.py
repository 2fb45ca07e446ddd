"""What a model file is worth: a module for each protocol, and `models.report` that runs them all."""
