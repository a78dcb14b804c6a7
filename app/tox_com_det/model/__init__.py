"""The model: manifest, tokenizer, head and predictor."""
