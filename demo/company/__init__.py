"""An invented company and its calls to language models. Every line is synthetic, and the same for the same seed."""
